"""Layers as matrices: their weights, and the rows of inputs that they take in, image after image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from verydeep.architecture.preprocess import Preprocess
from verydeep.compress.calibration import MAX_IMAGES, Calibration
from verydeep.data.normalize import normalize
from verydeep.errors import CompressionError
from verydeep.models.classifier import Classifier
from verydeep.models.feature_steps import IMAGES, FeatureStep, feature_steps

Layer = nn.Conv2d | nn.Linear

ROWS_AN_INPUT = 2
"""Rows of a Gram matrix for each of its inputs: more change little, and VGG16 takes minutes."""
LEAST_ROWS = 8_192


def chunk_images(size: int) -> int:
    """How many images of ``size`` px are computed at a time: 100 of 28 px, 8 of 96 px, 1 of 224 px."""
    return max(1, min(100, 78_400 // size**2))


def weighted_layers(model: Classifier) -> dict[str, Layer]:
    """The convolutions and fully connected layers by name, in the order of ``named_modules``.

    Raises:
        CompressionError: where one has groups, whose inputs are not one matrix.
    """
    layers = {name: each for name, each in model.named_modules() if isinstance(each, nn.Conv2d | nn.Linear)}
    for name, layer in layers.items():
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            raise CompressionError(
                f"{model.architecture.name} has a convolution in {layer.groups} groups ({name}); expected a "
                "network without groups"
            )
    return layers


def weight_matrix(layer: Layer) -> Float[Tensor, "outputs inputs"]:
    """The weights of ``layer`` with a column for each input, in the order of ``input_rows``."""
    return layer.weight.detach().flatten(1)


@dataclass(frozen=True)
class Positions:
    """Which output positions of a convolution give rows: all, or a sample that differs from image to image.

    The same images give the same positions in two networks whose maps have the same size.
    """

    share: float
    """Of all positions of an image, in (0, 1]."""
    seed: int

    def of(self, first: int, count: int, positions: int) -> Int64[Tensor, "count chosen"]:
        """Indices of the positions of ``count`` images, of which the first is number ``first``."""
        chosen = max(1, round(self.share * positions))
        if chosen >= positions:
            return torch.arange(positions).expand(count, positions)
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + first) % 2**63)
        return torch.rand(count, positions, generator=generator).topk(chosen).indices.sort().values


def sampled_positions(layer: Layer, positions: int, images: int, seed: int) -> Positions:
    """As many positions as a Gram matrix of the inputs of ``layer`` needs (``ROWS_AN_INPUT``)."""
    rows = max(LEAST_ROWS, ROWS_AN_INPUT * weight_matrix(layer).shape[1])
    return Positions(min(1.0, rows / (positions * images)), seed)


def input_rows(
    layer: Layer, inputs: Float32[Tensor, "batch ..."], positions: Int64[Tensor, "batch chosen"]
) -> Float32[Tensor, "rows inputs"]:
    """The inputs of ``layer`` at the output ``positions``, image after image: rows of ``batch * chosen``.

    The columns are in the order of ``weight_matrix``: ``rows @ weight_matrix(layer).T`` are its outputs
    without the bias.
    """
    if isinstance(layer, nn.Linear):
        return inputs.flatten(1)
    assert not isinstance(layer.padding, str)  # ``build`` gives numbers
    (kernel, _), (stride, _), (padding, _) = layer.kernel_size, layer.stride, layer.padding
    padded = functional.pad(inputs, (padding,) * 4)
    batch, channels, _, width = padded.shape
    columns = (width - kernel) // stride + 1
    corner = positions // columns * stride * width + positions % columns * stride
    offsets = torch.tensor([row * width + column for row in range(kernel) for column in range(kernel)])
    places = (corner[:, :, None] + offsets).flatten(1)[:, None].expand(-1, channels, -1)
    values: Tensor = padded.flatten(2).gather(2, places).unflatten(2, (-1, kernel * kernel))
    return values.transpose(1, 2).reshape(batch * positions.shape[1], channels * kernel * kernel)


LEAST_IMAGES = 500
MAX_INPUTS = 8_192
"""Of a layer whose inputs are removed or weights fitted: the Gram matrix of fc6 of VGG16 takes 5 GB."""
MAP_VALUES = 250_000_000
"""Of the largest feature map of all calibration images together: 1 GB in fp32."""


@dataclass(frozen=True, kw_only=True)
class LayerInputs:
    """A layer that is about to run, and what it takes in."""

    name: str
    """Of its module."""
    layer: Layer
    chunks: Sequence[Tensor]
    """The maps of all images, some images at a time."""
    seed: int
    """Of the sampled positions."""

    def rows(self, sampled_by: Layer | None = None) -> Float32[Tensor, "rows inputs"]:
        """All rows of inputs, at the positions that ``sampled_by`` needs: this layer, or a wider one."""
        count = sum(map(len, self.chunks))
        places = output_positions(self.layer, self.chunks[0])
        positions = sampled_positions(sampled_by or self.layer, places, count, self.seed)
        found, first = [], 0
        for chunk in self.chunks:
            found.append(input_rows(self.layer, chunk, positions.of(first, len(chunk), places)))
            first += len(chunk)
        return torch.cat(found)

    def images(self, rows: int) -> Int64[Tensor, " rows"]:
        """The number of the image of each of so many rows."""
        count = sum(map(len, self.chunks))
        return torch.arange(count).repeat_interleave(rows // count)


def layer_inputs(
    model: Classifier, calibration: Calibration, preprocess: Preprocess
) -> Iterator[LayerInputs]:
    """Each layer of ``model`` before it runs: what the caller changes of its weights, later layers see.

    The maps of one layer for all images are in memory (``fitting``).

    Raises:
        CompressionError: where a layer has groups.
    """
    names = {layer: name for name, layer in weighted_layers(model).items()}
    steps = list(feature_steps(model))
    still_needed = [name for step in steps for name in step.inputs]
    chunks = calibration.pixels.split(chunk_images(preprocess.size))
    maps = {IMAGES: [normalize(chunk, preprocess) for chunk in chunks]}
    with torch.inference_mode():
        for step in steps:
            inputs = [maps[name] for name in step.inputs]
            for name in step.inputs:
                still_needed.remove(name)
                if name not in still_needed:
                    del maps[name]
            if (layer := weighted_layer(step)) is not None:
                yield LayerInputs(name=names[layer], layer=layer, chunks=inputs[0], seed=calibration.seed)
            maps[step.name] = [step.module(*each) for each in zip(*inputs, strict=True)]


def weighted_layer(step: FeatureStep) -> Layer | None:
    """The convolution or fully connected layer of ``step``; None where it has none."""
    module = step.module[-1] if isinstance(step.module, nn.Sequential) else step.module
    return module if isinstance(module, nn.Conv2d | nn.Linear) else None


def fitting(calibration: Calibration, model: Classifier) -> Calibration:
    """As many of the images as the layers of ``model`` need, at most 2,000; fewer where its maps are large.

    A convolution sees each image at many positions, a fully connected layer at one.
    """
    shape, largest = model.architecture.input, 1
    for layer in model.architecture.layers:
        shape = layer.output(shape)
        largest = max(largest, shape[0] * shape[1] * shape[2])
    inputs = [each.in_features for each in model.modules() if isinstance(each, nn.Linear)]
    wanted = max(LEAST_IMAGES, ROWS_AN_INPUT * max(inputs))
    return calibration.at_most(max(1, min(wanted, MAX_IMAGES, MAP_VALUES // largest)))


def output_positions(layer: Layer, inputs: Float32[Tensor, "batch ..."]) -> int:
    """How many positions the outputs of ``layer`` have for each image: 1 of a fully connected layer."""
    if isinstance(layer, nn.Linear):
        return 1
    assert not isinstance(layer.padding, str)  # ``build`` gives numbers
    sides = zip(inputs.shape[2:], layer.padding, layer.kernel_size, layer.stride, strict=True)
    return prod((side + 2 * padding - kernel) // stride + 1 for side, padding, kernel, stride in sides)
