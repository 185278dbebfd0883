"""The step ``narrow``: fewer channels in each layer, and weights refitted by least squares, without training.

One pass of the original network over the calibration images gives the Gram matrix of the inputs of each layer
and its outputs. The channels that are kept are chosen by the error of the layer after them
(``selection.py``). Then each layer, from the first on, gets the weights that reproduce the original outputs
best from the inputs that it now has (``refit.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from verydeep.architecture.architecture import Architecture
from verydeep.compress.calibration import MAX_IMAGES, Calibration, StepResult
from verydeep.compress.gram import Gram, add_rows, layer_rows, weight_matrix, weighted_layers
from verydeep.compress.narrow.refit import refit
from verydeep.compress.narrow.selection import Removal, columns_of, removal_order
from verydeep.compress.narrow.widths import Width, narrowable_widths, with_widths
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier

MAP_VALUES = 250_000_000
"""Of the largest feature map of all calibration images together: 1 GB in fp32."""


@dataclass(frozen=True)
class Narrowing:
    """What is known of a network before its widths are chosen; ``narrowed`` gives it with any of them."""

    checkpoint: Checkpoint
    calibration: Calibration
    widths: tuple[Width, ...]
    removals: Mapping[str, Removal]
    """By the producer of a width."""
    outputs: Mapping[str, Float32[Tensor, "rows outputs"]]
    """Of each layer at the sampled positions, before ReLU."""

    def architecture(self, channels: Mapping[str, int]) -> Architecture:
        """The architecture with these channels by producer; a width that is not named stays."""
        return with_widths(self.checkpoint.model.architecture, self.widths, channels)

    def narrowed(self, channels: Mapping[str, int]) -> StepResult:
        """The network with these channels by producer, refitted; a width that is not named stays."""
        original = self.checkpoint.model
        kept = {
            width.producer: self.removals[width.producer].kept(channels[width.producer])
            for width in self.widths
            if channels.get(width.producer, width.channels) < width.channels
        }
        model = build_empty(self.architecture(channels)).to_empty(device="cpu").eval()
        _copy_kept(model, original, self.widths, kept)
        wanted = {name: each[:, kept[name]] if name in kept else each for name, each in self.outputs.items()}
        refit(model, self.calibration, self.checkpoint.preprocess, wanted, weighted_layers(original))
        done = f"{original.architecture.string} to {model.architecture.string}"
        return StepResult(replace(self.checkpoint, model=model), done)


def prepare_narrowing(checkpoint: Checkpoint, calibration: Calibration) -> Narrowing:
    """What one pass over at most 2,000 of the calibration images tells; fewer where feature maps are large.

    Raises:
        CompressionError: where no width of the network can be narrowed.
    """
    widths = narrowable_widths(checkpoint.model)
    fitting = MAP_VALUES // _largest_map(checkpoint.model.architecture)
    calibration = calibration.at_most(max(1, min(MAX_IMAGES, fitting)))
    consumers = {width.consumer for width in widths}
    grams: dict[str, Gram] = {}
    outputs: dict[str, list[Tensor]] = {}
    for name, rows, given in layer_rows(
        checkpoint.model, calibration.pixels, checkpoint.preprocess, seed=calibration.seed
    ):
        outputs.setdefault(name, []).append(given)
        if name in consumers:
            add_rows(grams, name, rows)
    layers = weighted_layers(checkpoint.model)
    removals = {}
    for width in widths:
        gram = grams.pop(width.consumer).centered  # one at a time: 170 MB in VGG16
        removals[width.producer] = removal_order(gram, weight_matrix(layers[width.consumer]), width.columns)
    collected = {name: torch.cat(each) for name, each in outputs.items()}
    return Narrowing(checkpoint, calibration, widths, removals, collected)


def narrow(checkpoint: Checkpoint, calibration: Calibration, channels: Mapping[str, int]) -> StepResult:
    """``checkpoint`` with ``channels`` by the name of the layer's module, such as ``{"features.0": 16}``.

    Raises:
        CompressionError: where no width of the network can be narrowed.
    """
    return prepare_narrowing(checkpoint, calibration).narrowed(channels)


def _largest_map(architecture: Architecture) -> int:
    shape, largest = architecture.input, 1
    for layer in architecture.layers:
        shape = layer.output(shape)
        largest = max(largest, shape[0] * shape[1] * shape[2])
    return largest


def _copy_kept(
    model: Classifier,
    original: Classifier,
    widths: tuple[Width, ...],
    kept: Mapping[str, Int64[Tensor, " channels"]],
) -> None:
    """Give ``model`` the weights of the channels that it keeps."""
    sources = weighted_layers(original)
    inputs = {
        width.consumer: columns_of(kept[width.producer], width.columns)
        for width in widths
        if width.producer in kept
    }
    for name, layer in weighted_layers(model).items():
        source = sources[name]
        weights, bias = weight_matrix(source), source.bias
        bias = weights.new_zeros(len(weights)) if bias is None else bias.detach()
        if name in kept:
            weights, bias = weights[kept[name]], bias[kept[name]]
        if name in inputs:
            weights = weights[:, inputs[name]]
        layer.load_state_dict({"weight": weights.reshape(layer.weight.shape), "bias": bias})
