"""Weights of the convolutions alone, as torchvision names them: a network to be tapped, whose head is idle.

Such a file holds ``features.0.weight`` and its like, and says in its text how its images are normalised:
``mean`` and ``std``, a number a channel, for RGB from 0 to 1.
"""

from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from verydeep.errors import CheckpointError
from verydeep.models.build import build_empty
from verydeep.spec import zoo
from verydeep.spec.arch import Architecture
from verydeep.spec.layers import Head, Residual
from verydeep.spec.preprocess import IMAGENET, Preprocess
from verydeep.weights.checkpoint import Checkpoint, load


def load_network(path: Path | str) -> Checkpoint:
    """The network of a run folder, of a checkpoint, or of a file of features only, ready to be tapped.

    Features only have no ``classes``, and one logit that is always zero.

    Raises:
        CheckpointError: where there is none, or it is broken or unknown.
    """
    path = Path(path)
    if path.is_dir() or not path.is_file():
        return load(path)
    try:
        with safe_open(path, framework="pt") as opened:
            text = opened.metadata() or {}
            names = opened.keys()
            if "verydeep" in text or not all(name.startswith("features.") for name in names):
                return load(path)
            tensors = {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError):
        return load(path)  # which says what is wrong
    return _features(path, tensors, text)


def _features(file: Path, tensors: dict[str, Tensor], text: dict[str, str]) -> Checkpoint:
    if broken := [name for name, value in tensors.items() if not bool(torch.isfinite(value).all())]:
        raise CheckpointError(f"{file} has values that are not finite, in {broken[0]}. Copy it again")
    model = build_empty(_recognise(file, tensors))
    missing = {
        name: torch.zeros(value.shape) for name, value in model.state_dict().items() if name not in tensors
    }
    model.load_state_dict(missing | {name: value.float() for name, value in tensors.items()}, assign=True)
    return Checkpoint(
        model.eval(), _preprocess(file, text, model.architecture), (), {"file": file.name, **text}
    )


def _recognise(file: Path, tensors: dict[str, Tensor]) -> Architecture:
    """The features of the zoo that have just these names and shapes, with one logit that is always zero."""
    found = {name: value.shape for name, value in tensors.items()}
    for row in zoo.ROWS:
        if any(isinstance(layer, Residual) for layer in row.architecture.layers):
            continue
        architecture = replace(row.architecture, name=f"{row.name} features", head=Head(), classes=1)
        expected = {name: value.shape for name, value in build_empty(architecture).state_dict().items()}
        if found == {name: shape for name, shape in expected.items() if name.startswith("features.")}:
            return architecture
    raise CheckpointError(f"{file} has the features of no network in the zoo (`verydeep list`)")


def _preprocess(file: Path, text: dict[str, str], architecture: Architecture) -> Preprocess:
    channels, size, _ = architecture.input
    try:
        mean, std = (tuple(float(number) for number in text[name].split(",")) for name in ("mean", "std"))
        resize = IMAGENET.resize if size == IMAGENET.size else None
        return Preprocess(size=size, resize=resize, channels=channels, mean=mean, std=std)
    except (KeyError, ValueError) as error:  # a SpecError is a ValueError
        raise CheckpointError(
            f"{file} does not say how its images are normalised ({error}). Add `mean` and `std`, a number a "
            "channel, to its safetensors text: save_file(tensors, file, {'mean': '0.485,0.456,0.406', ...})"
        ) from None
