"""The step ``quantize``: weights as integers with a scale for each output channel (GPTQ).

Layer by layer, each with the Gram matrix of the inputs that it gets from the layers already quantized. The
tensors stay float32 and lie exactly on their grid, so that ``weight_files/compact`` finds the integers again.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from math import log2

import torch

from verydeep.compress.calibration import Calibration, StepResult
from verydeep.compress.gram import Gram, gram_of
from verydeep.compress.layer_inputs import (
    MAX_INPUTS,
    Layer,
    fitting,
    layer_inputs,
    weight_matrix,
    weighted_layers,
)
from verydeep.compress.steps.gptq import compensated, rounded
from verydeep.errors import CompressionError
from verydeep.models.checkpoint import Checkpoint
from verydeep.weight_files.checkpoint_file import compact_bytes

BITS = 4
MAX_BITS = 8


def quantize(checkpoint: Checkpoint, calibration: Calibration, bits: int = BITS) -> StepResult:
    """``checkpoint`` with integer weights of ``bits`` bits; smaller layers get more (``bits_of_layers``).

    Args:
        checkpoint: with its batch norms folded, where that is possible.
        calibration: 2,000 images are enough, and no more are used.
        bits: 2 to 8, of the largest layer.

    Raises:
        CompressionError: as ``quantize_layers``, and where ``bits`` is out of range.
    """
    if not 2 <= bits <= MAX_BITS:
        raise CompressionError(f"{bits} bits were given; expected 2 to {MAX_BITS}")
    return quantize_layers(checkpoint, calibration, bits_of_layers(weighted_layers(checkpoint.model), bits))


def quantize_layers(checkpoint: Checkpoint, calibration: Calibration, bits: Mapping[str, int]) -> StepResult:
    """``checkpoint`` with integer weights of so many ``bits`` for each layer of ``weighted_layers``.

    Biases take up the difference of the mean outputs, and are rounded to float16, which is far finer than the
    weights. Batch norms stay as they are.

    Raises:
        CompressionError: where there are no images, their activations are not finite, or a layer has groups.
    """
    if not len(calibration):
        raise CompressionError("there are no calibration images; give the training images with --data")
    model = copy.deepcopy(checkpoint.model).eval()
    images, only_rounded = fitting(calibration, model), 0
    for inputs in layer_inputs(model, images, checkpoint.preprocess):
        if weight_matrix(inputs.layer).shape[1] > MAX_INPUTS:
            _round_layer(inputs.layer, bits[inputs.name])
            only_rounded += 1
            continue
        gram = gram_of(inputs.rows())
        if not bool(gram.matrix.isfinite().all()):
            raise CompressionError(f"the inputs of {inputs.name} are not finite; train the network again")
        _quantize_layer(inputs.layer, gram, bits[inputs.name])
    return StepResult(replace(checkpoint, model=model), _done(bits, only_rounded))


def quantized_bytes(checkpoint: Checkpoint, bits: int = BITS) -> int:
    """About the size of the compact file after ``quantize``: weights are rounded, which needs no images."""
    model = copy.deepcopy(checkpoint.model)
    layers = weighted_layers(model)
    chosen = bits_of_layers(layers, bits)
    for name, layer in layers.items():
        _round_layer(layer, chosen[name])
        if layer.bias is not None:
            layer.bias.data = layer.bias.half().float()
    return compact_bytes(replace(checkpoint, model=model))


def bits_of_layers(layers: Mapping[str, Layer], bits: int) -> dict[str, int]:
    """``bits`` for the largest layer, and half a bit more for each halving of the number of weights.

    One bit more divides the squared error of a layer by 4 and costs a bit for each of its weights: the sum of
    errors is smallest for a size where the error of a layer is proportional to the number of its weights (Lin
    et al. 2016, arXiv 1511.06393). So the first and the last layer, which are small, have more, up to 8.
    """
    counts = {name: layer.weight.numel() for name, layer in layers.items()}
    most = max(counts.values())
    return {name: min(MAX_BITS, bits + round(log2(most / count) / 2)) for name, count in counts.items()}


def _quantize_layer(layer: Layer, gram: Gram, bits: int) -> None:
    """Set the weights of ``layer`` to integers times scales; its bias keeps the mean of the outputs."""
    before = weight_matrix(layer).double()
    matrix = gram.of_weights if layer.bias is None else gram.centered
    after = compensated(before, matrix, bits).weights
    if layer.bias is not None:
        means = gram.matrix[-1, :-1] / gram.rows
        bias = layer.bias.detach().double() + (before - after) @ means
        is_small = float(bias.abs().max()) < torch.finfo(torch.float16).max
        layer.bias.data = (bias.half() if is_small else bias).float()
    _set_weights(layer, after)


def _round_layer(layer: Layer, bits: int) -> None:
    _set_weights(layer, rounded(weight_matrix(layer), bits).weights)


def _set_weights(layer: Layer, matrix: torch.Tensor) -> None:
    layer.weight.data = matrix.view_as(layer.weight).contiguous()


def _done(bits: Mapping[str, int], only_rounded: int) -> str:
    """``5 layers in 3 to 8 bits``."""
    least, most = min(bits.values()), max(bits.values())
    text = f"{len(bits)} layers in {least}" + (f" to {most}" if most > least else "") + " bits"
    return text + (f", {only_rounded} of them without compensation" if only_rounded else "")
