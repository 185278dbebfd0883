"""Load trained networks from any weight file: ``load`` as they are, ``pretrained`` for transfer learning.

The steps, in the order in which a weight file passes through them:

1. read.py, with read_tensors.py, read_keras.py and read_onnx.py: the format of the file, its tensors by name
2. unwrap.py: the state dict without containers and prefixes
3. match.py, with candidates.py, compare.py and key_maps.py: which network, in which layout
4. trained_weights.py, with preprocessing.py and class_names.py: the tensors in the keys and shapes of this
   package, the preprocessing that they need, and the class names
5. fit.py: other classes, input channels and image sizes

A checkpoint of this package (checkpoint_file.py) starts at step 4.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.download.download import Progress
from verydeep.errors import CheckpointError
from verydeep.models.build import build as build_untrained
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.init_method import Init
from verydeep.user_path import user_path
from verydeep.weight_files.checkpoint_description import is_checkpoint
from verydeep.weight_files.read import read_weights
from verydeep.weights.catalog import refuse_published_name
from verydeep.weights.download_weights import download_weights
from verydeep.weights.fit import (
    check_same_features,
    fit_features,
    fit_weights,
    fitted_architecture,
    fitted_class_names,
    with_open_settings_of,
)
from verydeep.weights.match import require_match
from verydeep.weights.trained_weights import TrainedWeights, from_checkpoint, from_weight_file

IMAGENET_WEIGHTS = "imagenet"
"""In place of a file: the published weights of the requested network."""


@dataclass(frozen=True)
class Pretrained:
    """A trained network that was fitted to a task, and what in it differs from the file."""

    checkpoint: Checkpoint
    changes: tuple[str, ...]
    """In words."""
    new_layers: tuple[str, ...]
    """The layers with random initialization, still to be trained."""


def load(
    path: Path | str,
    *,
    preprocess: Preprocess | None = None,
    features_only: bool = False,
    verify: bool = True,
) -> Checkpoint:
    """The trained network in a run folder, a checkpoint, or a weight file of torchvision, timm, Keras, ...

    A file without a head gives a feature extractor: ``classes`` is empty, and the one logit is always zero.

    Args:
        path: the run folder or the file; its format, layout and network are recognized.
        preprocess: the preprocessing, where it is not the usual one of the layout; it is adapted to the
            channels and the size of the network.
        features_only: leave out the head, and ignore unexpected tensors.
        verify: compare the tensors of a checkpoint with the checksum in it.

    Raises:
        CheckpointError: where the file is broken, or holds anything else than one complete known network.
    """
    return pretrained(
        None, path, preprocess=preprocess, features_only=features_only, verify=verify
    ).checkpoint


def load_classifier(
    path: Path | str, *, preprocess: Preprocess | None = None, verify: bool = True
) -> Checkpoint:
    """``load``, for a network with a head.

    Raises:
        CheckpointError: also where the file has no head.
    """
    network = load(path, preprocess=preprocess, verify=verify)
    if not network.classes:
        raise CheckpointError(
            f"{path} holds the features of a network without a classifier head and cannot classify. Train a "
            "head on it first, or use weights that have one"
        )
    return network


def build(
    network: str | Architecture,
    init: Init = "he",
    *,
    weights: Path | str | None = None,
    classes: int | Sequence[str] | None = None,
    channels: int | None = None,
    size: int | None = None,
) -> Classifier:
    """The model on the CPU, with random initialization or with pretrained weights.

    ``build("vgg16", weights="vgg16-397923af.pth", classes=10, channels=1, size=96)`` keeps every tensor but
    the last layer. ``pretrained`` does the same and gives the preprocessing too.

    Args:
        network: a name of the zoo, an architecture string, or an architecture.
        init: the weight initialization without ``weights`` (``models/initialization.py``).
        weights: a file, a run folder, or "imagenet" for the published ones. The model is then in evaluation
            mode.
        classes: their number or their names; those of the network by default.
        channels: 1 for gray images, 3 for color.
        size: side of the images in px.

    Raises:
        ArchitectureError: where there is no such network.
        CheckpointError: where the weights do not fit it.
    """
    if weights is not None:
        return pretrained(network, weights, classes=classes, channels=channels, size=size).checkpoint.model
    count = classes if classes is None or isinstance(classes, int) else len(classes)
    architecture = _resolved(network).with_options(channels=channels, size=size, classes=count)
    return build_untrained(architecture, init)


def pretrained(
    network: str | Architecture | None,
    weights: Path | str,
    *,
    classes: int | Sequence[str] | None = None,
    channels: int | None = None,
    size: int | None = None,
    preprocess: Preprocess | None = None,
    features_only: bool = False,
    verify: bool = True,
    progress: Progress | None = None,
) -> Pretrained:
    """The trained network of ``weights`` for other classes, colors and sizes, with its preprocessing.

    With another number of classes the last layer gets a random initialization; for gray images the first
    convolution is summed over the colors; at another size the head keeps its grid and its weights, as the
    pool before it averages or repeats the values of the last map to that grid.

    Args:
        network: the expected network, by name, architecture string or architecture; None accepts any known
            network, and without a head gives its features alone: ``classes`` is then empty, the logit zero.
        weights: a file, a run folder, or "imagenet".
        classes: their number, or their names in the order of the logits.
        channels: 1 for gray images, 3 for color.
        size: side of the images in px.
        preprocess: the preprocessing, where it is not the usual one of the layout of the file; it is adapted
            to the channels and the size of the images.
        features_only: leave out the head of the file, and ignore unexpected tensors.
        verify: compare the tensors of a checkpoint with the checksum in it.
        progress: called while published weights are downloaded, with the bytes received and in total.

    Raises:
        CheckpointError: where the file holds another network, or has no head and ``classes`` is not given.
    """
    expected = None if network is None else _resolved(network)
    path = _weights_path(weights, expected, progress)
    trained = _trained_weights(path, expected, preprocess, features_only, verify)
    if expected is not None:
        expected = with_open_settings_of(trained, expected)
        check_same_features(trained, expected)
    if isinstance(network, Architecture):  # an architecture states its classes and its input too
        classes = network.classes if classes is None else classes
    channels, size = _channels_and_size(trained, network, channels, size)
    names: tuple[str, ...] = ()
    if network is None and classes is None and not trained.has_head:
        model, changes, new_layers = fit_features(trained, channels, size)
    else:
        names = fitted_class_names(trained, classes)
        architecture = fitted_architecture(trained, expected, len(names), channels, size)
        model, changes, new_layers = fit_weights(trained, architecture)
    fitted_preprocess = trained.preprocess.for_input(channels, size)
    changes = (*_changes_of_preprocess(trained.trained_preprocess, fitted_preprocess), *changes)
    origin = {} if changes or new_layers else dict(trained.origin)  # it does not describe a changed network
    origin |= {"weights": trained.path.name} | ({"changes": list(changes)} if changes else {})
    fitted = Checkpoint(model, fitted_preprocess, names, origin)
    return Pretrained(fitted, changes, new_layers)


def _changes_of_preprocess(trained: Preprocess | None, fitted: Preprocess) -> Iterator[str]:
    """How ``fitted`` differs from the preprocessing of the training, if that is known, but for the colors."""
    if trained is None:
        return
    if fitted.size != trained.size:
        yield f"images of {fitted.size} px instead of {trained.size}"
    if fitted != trained.for_input(fitted.channels, fitted.size):
        yield "another preprocessing than in the training"


def _channels_and_size(
    trained: TrainedWeights, network: str | Architecture | None, channels: int | None, size: int | None
) -> tuple[int, int]:
    """Those given, otherwise those of an architecture, or of the trained weights."""
    needed = trained.preprocess
    usual = network.input[:2] if isinstance(network, Architecture) else (needed.channels, needed.size)
    return usual[0] if channels is None else channels, usual[1] if size is None else size


def _resolved(network: str | Architecture) -> Architecture:
    return zoo.resolve(network) if isinstance(network, str) else network


def _weights_path(weights: Path | str, network: Architecture | None, progress: Progress | None) -> Path:
    """The local file or run folder of ``weights``, downloaded where they are "imagenet"."""
    if weights != IMAGENET_WEIGHTS:
        refuse_published_name(weights)
        return user_path(weights)
    if network is None:
        raise CheckpointError('weights="imagenet" needs the name of a network, such as "vgg16"')
    return download_weights(network.name, progress=progress)


def _trained_weights(
    path: Path,
    network: Architecture | None,
    preprocess: Preprocess | None,
    features_only: bool,
    verify: bool,
) -> TrainedWeights:
    """Steps 1 to 4: the trained weights in the file or run folder at ``path``."""
    if path.is_dir() or is_checkpoint(path):
        return from_checkpoint(path, preprocess, features_only=features_only, verify=verify)
    file = read_weights(path)
    match = require_match(file, network, features_only=features_only)
    return from_weight_file(file, match, preprocess)
