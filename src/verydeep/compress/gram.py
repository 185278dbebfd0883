"""Gram matrices of the inputs of layers: all that least squares needs to know of the calibration images.

A convolution is a matrix product: its inputs at one position are the values under its kernel (unfolded), so
a layer of weights W (outputs, inputs) turns a row x of inputs into W x + b. With the rows of all images in X,
X^T X is its Gram matrix, and the squared error of other weights V is the trace of (W - V) X^T X (W - V)^T.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import normalize
from verydeep.errors import CompressionError
from verydeep.models.classifier import Classifier

Layer = nn.Conv2d | nn.Linear

ROWS_AN_INPUT = 3
"""Rows of a Gram matrix for each of its inputs: more change little, and VGG16 takes minutes."""
LEAST_ROWS = 16_384


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
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + first)
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


def output_rows(
    outputs: Float32[Tensor, "batch ..."], positions: Int64[Tensor, "batch chosen"]
) -> Float32[Tensor, "rows outputs"]:
    """The outputs of a layer at ``positions``, in the order of ``input_rows``."""
    if outputs.ndim == 2:
        return outputs.clone()  # the ReLU after it works in place
    places = positions[:, None].expand(-1, outputs.shape[1], -1)
    return outputs.flatten(2).gather(2, places).transpose(1, 2).flatten(0, 1)


@dataclass
class Gram:
    """Sums over the rows of inputs of one layer, with a last input that is always 1, for the bias."""

    matrix: Float[Tensor, "inputs inputs"]
    """X^T X, in float32 while rows are added. The last row and column are those of the constant input 1: the
    sums of the others, and in the corner the number of rows."""

    @property
    def rows(self) -> int:
        """How many rows were added."""
        return round(float(self.matrix[-1, -1]))

    @property
    def of_weights(self) -> Float[Tensor, "inputs inputs"]:
        """Without the constant input: the Gram matrix of ``weight_matrix``."""
        return self.matrix[:-1, :-1]

    @property
    def centered(self) -> Float[Tensor, "inputs inputs"]:
        """The same of inputs less their means, where the bias takes up the difference."""
        sums = self.matrix[-1, :-1].double()
        return self.of_weights.double() - torch.outer(sums, sums) / self.rows


def gram_matrices(
    model: Classifier,
    pixels: UInt8[Tensor, "count channels size size"],
    preprocess: Preprocess,
    *,
    layers: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Gram]:
    """The Gram matrix of the inputs of each layer for the images ``pixels``, by the name of the layer.

    Summed in float32, in chunks of images, and given in float64. Of a convolution, so many positions are
    sampled that there are ``ROWS_AN_INPUT`` rows for each input.

    Args:
        model: the network, which computes in evaluation mode.
        pixels: of the input size.
        preprocess: how they are normalized.
        layers: names of layers; all convolutions and fully connected layers by default.
        seed: of the sampled positions.

    Raises:
        CompressionError: where a layer has groups.
    """
    grams: dict[str, Gram] = {}
    for name, rows, _ in layer_rows(model, pixels, preprocess, layers=layers, seed=seed):
        add_rows(grams, name, rows)
    return {name: Gram(each.matrix.double()) for name, each in grams.items()}


def add_rows(grams: dict[str, Gram], name: str, rows: Float32[Tensor, "rows inputs"]) -> None:
    """Add ``rows`` to the Gram matrix of the layer ``name``."""
    extended = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
    if name in grams:
        grams[name].matrix.addmm_(extended.T, extended)
    else:
        grams[name] = Gram(extended.T @ extended)


def layer_rows(
    model: Classifier,
    pixels: UInt8[Tensor, "count channels size size"],
    preprocess: Preprocess,
    *,
    layers: Sequence[str] | None = None,
    seed: int = 0,
) -> Iterator[tuple[str, Float32[Tensor, "rows inputs"], Float32[Tensor, "rows outputs"]]]:
    """The name, the input rows and the output rows (before norm and ReLU) of each layer, chunk by chunk."""
    chosen = weighted_layers(model)
    if layers is not None:
        chosen = {name: chosen[name] for name in layers}
    total, device = len(pixels), next(model.parameters()).device
    per_chunk = chunk_images(preprocess.size)
    was_training = model.training
    model.eval()
    try:
        for first in range(0, total, per_chunk):
            images = normalize(pixels[first : first + per_chunk].to(device), preprocess)
            found: list[tuple[str, Tensor, Tensor]] = []
            with torch.inference_mode(), _recorded(chosen, found, first, total, seed):
                model(images)
            yield from found
    finally:
        model.train(was_training)


@contextmanager
def _recorded(
    layers: Mapping[str, Layer], found: list[tuple[str, Tensor, Tensor]], first: int, total: int, seed: int
) -> Iterator[None]:
    """Inside, each pass of a layer appends its rows to ``found``."""

    def record(name: str, layer: nn.Module, inputs: tuple[Tensor], outputs: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        places = outputs[0, 0].numel()
        positions = sampled_positions(layer, places, total, seed).of(first, len(outputs), places)
        found.append((name, input_rows(layer, inputs[0], positions), output_rows(outputs, positions)))

    handles = [layer.register_forward_hook(partial(record, name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
