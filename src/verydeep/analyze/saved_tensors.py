"""The tensors that autograd saves in a forward pass, operation by operation, for the backward pass.

Operations are in the order in which ``models`` runs them. A tensor that two of them save counts once:

conv, fc         their input; in bf16 a copy of their weights too
batch norm       its input, and the mean and deviation of the batch, in fp32
ReLU, in place   its output, the tensor that the next convolution saves too
max pool         its input, and the index of each maximum as an int64
local norm       its input in fp32, and two powers of its denominator
average pool     its input; a global one saves nothing
dropout          its mask, with as many bytes as the values (one byte each on a GPU), and its output
shortcut         an addition saves nothing; the sum is a new tensor, which its ReLU saves
loss             the log-probabilities, in fp32, and the labels
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

from verydeep.analyze.dtypes import FP32, INT64
from verydeep.analyze.layer_rows import LayerRow
from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Conv, LocalNorm, MaxPool, Residual


@dataclass(frozen=True, eq=False)
class Activation:
    """A tensor of the forward pass: the layer that computes it, and its size for one image."""

    layer: str
    values: int
    width: int
    """Bytes per value."""

    @property
    def size(self) -> int:
        """Bytes for one image."""
        return self.values * self.width


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """One operation of the forward pass, and the tensors it saves. Bytes are for one image, or as noted."""

    layer: str
    input: Activation
    output: Activation
    saves: tuple[Activation, ...] = ()
    extras: int = 0
    """Bytes of other saved tensors."""
    statistics: int = 0
    """Bytes for the whole batch: the mean and deviation of a batch norm."""
    weights: int = 0
    """Count of values."""
    parameters: int = 0
    """Count of values: weights and biases."""
    layout_copies: int = 0
    """Scratch memory of the backward pass: oneDNN copies the maps of a convolution to another layout."""
    shortcut_gradient: int = 0
    """The gradient of the other branch of a residual block, which stays allocated in the backward pass."""


class SavedTensors:
    """The saved tensors of one forward pass of ``architecture``, with activations of ``width`` bytes."""

    def __init__(self, architecture: Architecture, width: int) -> None:
        self.architecture = architecture
        self.width = width
        self.rows = trace(architecture).layers
        self.images = Activation("input", prod(architecture.input), width)
        self.operations: list[Operation] = []
        self._next_rows = iter(self.rows)  # in the order of the forward pass
        self._head(self._features())

    def _features(self) -> Activation:
        maps, norms_after_pool = self.images, self.architecture.norms_after_pool
        for index, layer in enumerate(self.architecture.layers):
            match layer:
                case Conv():
                    maps = self._weighted(maps)
                    if index + 1 not in norms_after_pool:
                        maps = self._relu(self._norm(maps))
                case MaxPool():
                    maps = self._max_pool(maps)
                    if index in norms_after_pool:
                        maps = self._relu(self._norm(maps))
                case LocalNorm():
                    maps = self._local_norm(maps)
                case Residual():
                    maps = self._block(layer, maps)
        return maps

    def _block(self, block: Residual, images: Activation) -> Activation:
        body_start = len(self.operations)
        maps = self._norm(self._weighted(images))
        for _ in block.convs[1:]:
            maps = self._norm(self._weighted(self._relu(maps)))
        body_end = len(self.operations)
        row = next(self._next_rows)
        if row.kind == "add":
            self._hold_gradient(range(body_start, body_end - 1), maps.size)
        else:
            self._norm(self._weighted(images, row))
            self._hold_gradient(range(body_start, body_end), images.size)
            self._hold_gradient(range(body_end, len(self.operations) - 1), maps.size)
            row = next(self._next_rows)
        return self._relu(self._activation(row, maps.width))

    def _head(self, maps: Activation) -> None:
        head, dropout_first = self.architecture.head, self.architecture.dropout_first
        if self.architecture.map_shape[1:] != (head.grid, head.grid):
            row, before = next(self._next_rows), maps
            maps = self._activation(row, maps.width)
            self._add(row, before, maps, saves=(before,) if head.grid > 1 else ())
        for row in self._next_rows:
            if row is self.rows[-1]:
                logits = self._weighted(maps, row)
                self._loss(logits)
                return
            if dropout_first:
                maps = self._relu(self._weighted(self._dropout(maps, row), row))
            else:
                maps = self._dropout(self._relu(self._weighted(maps, row)), row)

    def _weighted(self, maps: Activation, row: LayerRow | None = None) -> Activation:
        """A convolution or a fully connected layer."""
        row = row or next(self._next_rows)
        output = self._activation(row, self.width)
        self._add(
            row,
            maps,
            output,
            saves=(maps,),
            weights=row.weights,
            parameters=row.parameters,
            layout_copies=maps.size + output.size if row.kind == "conv" else 0,
        )
        return output

    def _norm(self, maps: Activation) -> Activation:
        if self.architecture.norm == "none":
            return maps
        row = next(self._next_rows)
        output = self._activation(row, maps.width)
        statistics = 2 * FP32 * row.output[0]
        self._add(row, maps, output, saves=(maps,), statistics=statistics, parameters=row.parameters)
        return output

    def _relu(self, maps: Activation) -> Activation:
        self.operations.append(Operation(layer=maps.layer, input=maps, output=maps, saves=(maps,)))
        return maps

    def _max_pool(self, maps: Activation) -> Activation:
        row = next(self._next_rows)
        output = self._activation(row, maps.width)
        self._add(row, maps, output, saves=(maps,), extras=INT64 * output.values)
        return output

    def _local_norm(self, maps: Activation) -> Activation:
        row = next(self._next_rows)
        output = self._activation(row, maps.width)
        if maps.width == FP32:
            self._add(row, maps, output, saves=(maps,), extras=2 * FP32 * output.values)
        else:
            self._add(row, maps, output, extras=3 * FP32 * output.values)  # it computes in fp32
        return output

    def _dropout(self, maps: Activation, row: LayerRow) -> Activation:
        if not self.architecture.dropout:
            return maps
        output = replace(maps, layer=row.name)
        self._add(row, maps, output, extras=maps.size)
        return output

    def _loss(self, logits: Activation) -> None:
        total_weight = FP32  # the sum of the weights of the labels, which are 1 each
        self.operations.append(
            Operation(
                layer="loss",
                input=logits,
                output=logits,
                extras=FP32 * logits.values + INT64,
                statistics=total_weight,
            )
        )

    def _activation(self, row: LayerRow, width: int) -> Activation:
        return Activation(row.name, prod(row.output), width)

    def _add(self, row: LayerRow, input: Activation, output: Activation, **sizes: Any) -> None:
        self.operations.append(Operation(layer=row.name, input=input, output=output, **sizes))

    def _hold_gradient(self, indices: range, size: int) -> None:
        for index in indices:
            self.operations[index] = replace(self.operations[index], shortcut_gradient=size)
