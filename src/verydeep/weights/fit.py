"""From the tensors of a file to a network of ours: renamed, laid out, checked, and fitted to other images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import ArchitectureError, CheckpointError
from verydeep.models.build import build_empty
from verydeep.models.classifier import Classifier
from verydeep.models.initialization import initialize_layers
from verydeep.weights.checks import not_finite, some
from verydeep.weights.key_maps import fully_connected
from verydeep.weights.match import Match
from verydeep.weights.read import WeightFile

FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


@dataclass(frozen=True)
class TrainedWeights:
    """A trained network on its way to another: the tensors under our names, and what belongs to them."""

    path: Path
    architecture: Architecture
    tensors: Mapping[str, Tensor]
    has_head: bool
    preprocess: Preprocess
    classes: tuple[str, ...]
    """Empty where there is no head."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """What a checkpoint of ours says of itself."""


def our_tensors(file: WeightFile, match: Match) -> dict[str, Tensor]:
    """The tensors of the match under our names, in our form, in fp32.

    Raises:
        CheckpointError: where one is of no floating type, or holds a value that is not finite.
    """
    found: dict[str, Tensor] = {}
    for entry in match.entries:
        tensor = file.tensors[entry.theirs]
        if entry.is_optional:
            found[entry.ours] = tensor.to(torch.int64)
            continue
        if tensor.dtype not in FLOATS:
            raise CheckpointError(
                f"{file.path}: {entry.theirs} is {_word(tensor.dtype)}; expected "
                f"{', '.join(map(_word, FLOATS))}. Save the weights as they were before they were quantized"
            )
        found[entry.ours] = entry.form.here(tensor).float().contiguous()
    if bad := not_finite(found):
        theirs = [entry.theirs for entry in match.entries if entry.ours in bad]
        raise CheckpointError(
            f"{file.path} holds values that are not finite in {some(theirs)}: the training diverged, or the "
            "file was damaged. Take an earlier one"
        )
    return found


class Fitted(NamedTuple):
    """A network with the weights of a source, and what of it is not the source's, in words."""

    model: Classifier
    changes: tuple[str, ...]
    new: tuple[str, ...]
    """The layers that were drawn at random, to be trained."""


def fit_weights(source: TrainedWeights, architecture: Architecture) -> Fitted:
    """The network of ``architecture`` with everything of ``source`` that fits it.

    The features must be the same but for the colors: a network for gray images has the first convolution's
    weights summed over its three. Of the head is kept what comes before the first layer of another shape;
    from there on it is drawn anew from torch's global generator (``models/init.py``, ``he``).

    Raises:
        CheckpointError: where the features are of another network.
    """
    check_features(source, architecture)
    model, changes = build_empty(architecture), list[str]()
    tensors = dict(source.tensors)
    stem = next(iter(model.state_dict()))
    colors = architecture.input[0]
    if tensors[stem].shape[1] != colors:
        tensors[stem] = _summed(source, tensors[stem], colors)
        changes.append("the first convolution's weights are summed over the three colors, for gray images")
    new = _new_layers(model, tensors)
    if new:
        changes.append(f"{', '.join(new)} for {architecture.classes} classes: new, drawn at random")
    _assign(model, tensors, new)
    return Fitted(model.eval(), (*_of_size(source.architecture, architecture), *changes), new)


def _of_size(before: Architecture, architecture: Architecture) -> tuple[str, ...]:
    """A note where, at another size, the pool before the head no longer passes the last map as it is."""
    side, grid, size = architecture.map_shape[1], architecture.head.grid, architecture.input[1]
    if grid in (1, side) or size == before.input[1]:
        return ()
    return (f"{size} px leave a map of {side} x {side}; the pool before the head makes it {grid} x {grid}",)


def check_features(source: TrainedWeights, asked: Architecture) -> None:
    """Refuse a source whose layers before the head are not those of ``asked``.

    Raises:
        CheckpointError: naming both networks.
    """
    ours = source.architecture
    if (ours.layers, ours.norm, ours.conv_bias) != (asked.layers, asked.norm, asked.conv_bias):
        raise CheckpointError(
            f"{source.path} holds the weights of {ours.name}, and {asked.name} was asked for. Build "
            f"{ours.name!r}, or give weights of {asked.name}"
        )


def _summed(source: TrainedWeights, weight: Tensor, colors: int) -> Tensor:
    if colors != 1 or weight.shape[1] != 3:
        raise ArchitectureError(
            f"{source.path} was trained on images of {weight.shape[1]} channels; it can be taken for "
            f"as many, or from 3 to 1, not for {colors}"
        )
    return weight.sum(1, keepdim=True)


def _new_layers(model: Classifier, tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The layers of the head from the first on that the source lacks or has in another shape."""
    ours = model.state_dict()
    layers = fully_connected(model)
    for place, layer in enumerate(layers):
        weight = tensors.get(f"{layer}.weight")
        if weight is None or weight.shape != ours[f"{layer}.weight"].shape:
            return layers[place:]
    return ()


def _assign(model: Classifier, tensors: Mapping[str, Tensor], new: tuple[str, ...]) -> None:
    """Put the tensors into a network without memory; only what is new is drawn."""
    for layer in new:
        model.get_submodule(layer).to_empty(device="cpu")
    drawn = tuple(f"{layer}." for layer in new)
    # The count of batches may be absent; all else is there, as recognition made sure.
    state = {
        name: value if drawn and name.startswith(drawn) else tensors.get(name, torch.tensor(0))
        for name, value in model.state_dict().items()
    }
    model.load_state_dict(state, assign=True)
    initialize_layers(model, [_linear(model, layer) for layer in new])


def _linear(model: Classifier, name: str) -> nn.Linear:
    layer = model.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    return layer


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
