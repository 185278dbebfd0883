"""Trained weights found and opened: a run folder, a checkpoint or another project's file, under our names."""

from pathlib import Path

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError
from verydeep.weights import checkpoint_file as checkpoint
from verydeep.weights.download_weights import download_weights
from verydeep.weights.fit import TrainedWeights, our_tensors
from verydeep.weights.inspect import left_over_error, preprocess_of_match, problem
from verydeep.weights.key_maps import fully_connected
from verydeep.weights.match import Match, Near, match_network
from verydeep.weights.preprocessing import class_names
from verydeep.weights.read import WeightFile, read_weights

IMAGENET = "imagenet"
"""In place of a file: the published weights of the network that is asked for."""


def locate(weights: Path | str, network: Architecture | None) -> Path:
    """The local file that ``weights`` means.

    Raises:
        CheckpointError: where published weights are asked for, and not of which network.
    """
    if weights != IMAGENET:
        return Path(weights).expanduser()
    if network is None:
        raise CheckpointError('weights="imagenet" needs a network beside it, such as "vgg16"')
    return download_weights(network.name)


def open_source(
    path: Path | str,
    *,
    among: Architecture | None = None,
    preprocess: Preprocess | None = None,
    features_only: bool = False,
) -> TrainedWeights:
    """The trained network at ``path``, ours or another's, under our names.

    Raises:
        CheckpointError: where the file is broken, or holds anything else than one whole known network.
    """
    path = Path(path).expanduser()
    if path.is_dir() or checkpoint.is_checkpoint(path):
        return _own(path, preprocess, features_only)
    file = read_weights(path)
    found = _recognized(file, among, features_only)
    if not isinstance(found, Match):
        raise CheckpointError(problem(path, found))
    if found.left_over and not features_only:
        raise left_over_error(path, found)
    tensors = our_tensors(file, found)
    seen = preprocess or preprocess_of_match(file, found)[0]
    classes = class_names(found.architecture.classes) if found.has_head else ()
    return TrainedWeights(path, found.architecture, tensors, found.has_head, seen, classes)


def _recognized(file: WeightFile, among: Architecture | None, features_only: bool) -> Match | Near | None:
    """What the file holds: the network that was asked for where it is that whole, else one of the zoo."""
    if among is None:
        return match_network(file, features_only=features_only)
    asked = match_network(file, [among], features_only=features_only)
    if isinstance(asked, Match) and (features_only or not asked.left_over):
        return asked
    of_zoo = match_network(file, features_only=features_only)
    return of_zoo if isinstance(of_zoo, Match) else asked or of_zoo


def _own(path: Path, preprocess: Preprocess | None, features_only: bool) -> TrainedWeights:
    whole = checkpoint.load(path)
    classes = () if features_only else whole.classes
    head = () if classes else tuple(f"{layer}." for layer in fully_connected(whole.model))
    tensors = {
        name: value
        for name, value in whole.model.state_dict().items()
        if not (head and name.startswith(head))
    }
    seen = preprocess or whole.preprocess
    return TrainedWeights(path, whole.model.architecture, tensors, bool(classes), seen, classes, whole.origin)
