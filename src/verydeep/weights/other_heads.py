"""Heads that transfer learning leaves behind: fully connected layers under any names after a known trunk.

``model.classifier = Linear(512, 5)``, ``model.fc = Sequential(Dropout(), Linear(512, 5))``, Keras's
``GlobalAveragePooling2D``, ``Dense(256)``, ``Dense(5)``: in a file, each is a chain of matrices in which
the inputs of one are the outputs of the one before. The file shows no activation between two of them: ReLU
is used.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from math import isqrt

from verydeep.architecture.layers import Head
from verydeep.weight_files.read import Shapes
from verydeep.weight_files.tensor_layouts import SAME, TRANSPOSED, TensorLayout, as_convolution, channels_last
from verydeep.weights.key_maps import KeyMapRow

MAX_LAYERS = 5
"""Of a head. Longer chains are another network."""


@dataclass(frozen=True)
class _Dense:
    """A fully connected layer in a file."""

    weight: str
    bias: str
    inputs: int
    outputs: int
    inputs_first: bool
    is_convolution: bool

    def layout(self, channels: int, grid: int) -> TensorLayout:
        """Its layout on maps of ``channels`` x ``grid`` x ``grid``; 1 after a layer."""
        if self.is_convolution:
            return as_convolution(channels, grid)
        if self.inputs_first:
            return TRANSPOSED if grid == 1 else channels_last(channels, grid)
        return SAME


@dataclass(frozen=True)
class OtherHead:
    """A head that was found in a file."""

    head: Head
    classes: int
    layers: tuple[_Dense, ...]
    channels: int

    def rows(self, names: Sequence[str]) -> Iterator[KeyMapRow]:
        """The rows of the key map, for the layers ``names`` of the network."""
        channels, grid = self.channels, self.head.grid
        for name, layer in zip(names, self.layers, strict=True):
            yield KeyMapRow(f"{name}.weight", layer.weight, layer.layout(channels, grid))
            yield KeyMapRow(f"{name}.bias", layer.bias)
            channels, grid = layer.outputs, 1


def find_head(shapes: Shapes, keys: Iterable[str], channels: int) -> OtherHead | None:
    """The head in the tensors ``keys``, after maps of ``channels``; None where they are not one chain."""
    remaining = list(keys)
    layers = [layer for key in remaining if (layer := _dense(shapes, key))]
    if not layers or len(layers) > MAX_LAYERS or len(remaining) != 2 * len(layers):
        return None
    for chain in permutations(layers):  # in the order of the file first
        grid = isqrt(max(0, chain[0].inputs // channels))
        is_linked = all(a.outputs == b.inputs for a, b in pairwise(chain))
        if grid and chain[0].inputs == channels * grid**2 and is_linked:
            hidden = tuple(layer.outputs for layer in chain[:-1])
            return OtherHead(Head(grid, hidden), chain[-1].outputs, chain, channels)
    return None


def _dense(shapes: Shapes, key: str) -> _Dense | None:
    """The layer whose weight is ``key``, where its shape and that of its bias are those of a layer."""
    for weight, bias in ((".weight", ".bias"), ("/kernel", "/bias")):
        shape, bias_key = shapes[key], key.removesuffix(weight) + bias
        if not key.endswith(weight) or 0 in shape or len(shape) not in (2, 4):
            continue
        inputs_first, is_convolution = weight == "/kernel", len(shape) == 4
        if is_convolution and (inputs_first or shape[2:] != (1, 1)):
            continue
        outputs, inputs = reversed(shape[:2]) if inputs_first else shape[:2]
        if shapes.get(bias_key) == (outputs,):
            return _Dense(key, bias_key, inputs, outputs, inputs_first, is_convolution)
    return None
