"""Trained networks from any file, in one call: ``load`` as it is, ``build`` for other classes and images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Head
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import ArchitectureError, CheckpointError
from verydeep.models.build import build as build_new
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.initialization import Init
from verydeep.weights.fit import Fitted, TrainedWeights, check_features, fit_weights
from verydeep.weights.key_maps import fully_connected
from verydeep.weights.open_weights import locate, open_source
from verydeep.weights.preprocessing import numbered_classes


@dataclass(frozen=True)
class Pretrained:
    """A trained network fitted to a task, and what of it is new, in words."""

    checkpoint: Checkpoint
    changes: tuple[str, ...]
    new: tuple[str, ...]
    """The layers that were drawn at random, to be trained."""


def load(
    path: Path | str, *, preprocess: Preprocess | None = None, features_only: bool = False
) -> Checkpoint:
    """The trained network in a run folder, a checkpoint, or a weight file of torchvision, timm, Keras, ...

    Of a file without a head ``classes`` is empty, and the network ends in one logit that is always zero: its
    features are what it is for.

    Args:
        path: the run folder or the file; its kind, layout and network are recognized.
        preprocess: what the network sees, where it is not what the layout has by convention.
        features_only: leave the head and whatever else is in the file.

    Raises:
        CheckpointError: where the file is broken, or holds anything else than one whole known network.
    """
    return pretrained(None, path, preprocess=preprocess, features_only=features_only).checkpoint


def load_classifier(path: Path | str, *, preprocess: Preprocess | None = None) -> Checkpoint:
    """``load``, for what needs a head.

    Raises:
        CheckpointError: also where the file has none.
    """
    network = load(path, preprocess=preprocess)
    if not network.classes:
        raise CheckpointError(
            f"{path} holds the features of a network and no head: it names nothing. Train a head on it "
            "first, or take weights that have one"
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
    """The network on the CPU, with new weights or with trained ones.

    ``build("vgg16", weights="vgg16-397923af.pth", classes=10, channels=1, size=96)`` keeps every tensor but
    the last layer. ``pretrained`` does the same and gives the preprocessing too.

    Args:
        network: a name of the zoo, a line of text, or an architecture.
        init: how weights begin that are not loaded (``models/init.py``).
        weights: a file, a run folder, or "imagenet" for the published ones. The network is in evaluation mode
            then.
        classes: their number or their names; the network's own by default.
        channels: 1 for gray images, 3 for color.
        size: side of the images in px.

    Raises:
        ArchitectureError: where there is no such network.
        CheckpointError: where the weights do not fit it.
    """
    if weights is not None:
        return pretrained(network, weights, classes=classes, channels=channels, size=size).checkpoint.model
    architecture = _resolved(network)
    if classes is not None:
        architecture = architecture.with_classes(classes if isinstance(classes, int) else len(classes))
    if channels is not None or size is not None:
        own_channels, *own_size = architecture.input
        architecture = architecture.with_input(channels or own_channels, size or (own_size[0], own_size[1]))
    return build_new(architecture, init)


def pretrained(
    network: str | Architecture | None,
    weights: Path | str,
    *,
    classes: int | Sequence[str] | None = None,
    channels: int | None = None,
    size: int | None = None,
    preprocess: Preprocess | None = None,
    features_only: bool = False,
) -> Pretrained:
    """The trained network of ``weights`` for other classes, colors and sizes, complete with preprocessing.

    With another number of classes the last layer is drawn anew; from color to gray the first convolution is
    summed; at another size the head keeps its grid and its weights, as the pool before it averages or
    repeats the last map's values to that grid.

    Args:
        network: which network it must be, by name, line or architecture; None takes what the file holds, and
            its features alone where it has no head: ``classes`` is empty then, and the one logit zero.
        weights: a file, a run folder, or "imagenet".
        classes: their number, or their names in the order of the logits.
        channels: 1 for gray images, 3 for color.
        size: side of the images in px.
        preprocess: what the network sees, where it is not what the file's layout has by convention.
        features_only: leave the file's head.

    Raises:
        CheckpointError: where the file holds another network, or has no head and ``classes`` is not given.
    """
    asked = None if network is None else _resolved(network)
    file = locate(weights, asked)
    source = open_source(file, among=asked, preprocess=preprocess, features_only=features_only)
    if asked is not None:
        check_features(source, asked)
    if isinstance(network, Architecture):  # whole as it is: its classes and images too
        classes = network.classes if classes is None else classes
        channels, size = channels or network.input[0], size or network.input[1]
    channels, size = channels or source.preprocess.channels, size or source.preprocess.size
    names: tuple[str, ...]
    if network is None and classes is None and not source.has_head:
        names = ()
        model, changes, new = _headless(source, channels, size)
    else:
        names = _names(source, classes)
        model, changes, new = fit_weights(source, _target(source, asked, len(names), channels, size))
    known = {} if changes or new else source.origin  # of a changed network it would no longer be true
    origin = {**known, "weights": source.path.name} | ({"changes": list(changes)} if changes else {})
    seen = source.preprocess.for_input(channels, size)
    return Pretrained(Checkpoint(model, seen, names, origin), changes, new)


def _target(
    source: TrainedWeights, asked: Architecture | None, classes: int, channels: int, size: int
) -> Architecture:
    """The architecture to build: the file's head where a network is asked for by name, else the one typed."""
    target = replace(asked or source.architecture, classes=classes)
    if not source.has_head:
        return target.with_input(channels, size)
    if asked is not None and asked.head == _zoo_head(asked):
        target = replace(target, head=source.architecture.head, name=source.architecture.name)
    return replace(target, input=(channels, size, size))


def _zoo_head(architecture: Architecture) -> Head | None:
    """The head of the zoo's network of that name; None for a line of text, whose head was typed."""
    return zoo.resolve(architecture.name).head if architecture.name in zoo.names() else None


def _names(source: TrainedWeights, classes: int | Sequence[str] | None) -> tuple[str, ...]:
    """The names of the classes of the new network.

    Raises:
        CheckpointError: where they are the file's own, and it has none.
    """
    if classes is None:
        if not source.has_head:
            raise CheckpointError(
                f"{source.path} holds the features of {source.architecture.name} and no head. Give the "
                "number of classes for a new head, to be trained: classes=10, --classes 10; or take the "
                "features as they are: verydeep.load"
            )
        return source.classes
    if not isinstance(classes, int):
        return tuple(classes)
    if classes < 1:
        raise ArchitectureError(f"a classifier needs at least one class, {classes} given")
    kept = source.has_head and classes == len(source.classes)
    return source.classes if kept else numbered_classes(classes)


def _headless(source: TrainedWeights, channels: int, size: int) -> Fitted:
    """The features with a head of one logit that is zero, as there is none to load."""
    ours = source.architecture
    name = f"{ours.name.removesuffix(' features')} features"
    bare = replace(ours, name=name, head=Head(), classes=1, input=(channels, size, size), notes=())
    model, changes, _ = fit_weights(source, bare)
    for parameter in model.get_submodule(fully_connected(model)[0]).parameters():
        torch.nn.init.zeros_(parameter)
    return Fitted(model, (*changes[:-1], "no head: one logit, always zero"), ())


def _resolved(network: str | Architecture) -> Architecture:
    return zoo.resolve(network) if isinstance(network, str) else network
