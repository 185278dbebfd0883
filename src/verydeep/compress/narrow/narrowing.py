"""The step ``narrow``: fewer channels in each layer, and weights refitted by least squares, without training.

One pass of the original network over the calibration images gives the Gram matrix of the inputs of each layer
and its outputs. The channels that are kept are chosen by the error of the layer after them
(``selection.py``). Then each layer, from the first on, gets the weights that reproduce the original outputs
best from the inputs that it now has (``refit.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn import functional

from verydeep.architecture.architecture import Architecture
from verydeep.compress.calibration import Calibration, StepResult
from verydeep.compress.gram import gram_of
from verydeep.compress.layer_inputs import fitting, layer_inputs, weight_matrix, weighted_layers
from verydeep.compress.narrow.refit import refit
from verydeep.compress.narrow.selection import Removal, columns_of, removal_order
from verydeep.compress.narrow.widths import Width, narrowable_widths, with_widths
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier


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
    calibration = fitting(calibration, checkpoint.model)
    taken_in = {width.consumer: width for width in widths}
    outputs: dict[str, Tensor] = {}
    removals: dict[str, Removal] = {}
    for inputs in layer_inputs(checkpoint.model, calibration, checkpoint.preprocess):
        rows, weights = inputs.rows(), weight_matrix(inputs.layer)
        outputs[inputs.name] = functional.linear(rows, weights, inputs.layer.bias)
        if (width := taken_in.get(inputs.name)) is not None:
            removals[width.producer] = removal_order(gram_of(rows).centered, weights, width.columns)
    return Narrowing(checkpoint, calibration, widths, removals, outputs)


def narrow(checkpoint: Checkpoint, calibration: Calibration, channels: Mapping[str, int]) -> StepResult:
    """``checkpoint`` with ``channels`` by the name of the layer's module, such as ``{"features.0": 16}``.

    Raises:
        CompressionError: where no width of the network can be narrowed.
    """
    return prepare_narrowing(checkpoint, calibration).narrowed(channels)


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
