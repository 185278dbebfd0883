"""The forward pass of a training step, written down: which tensors each operation keeps for the backward one.

Operations stand in the order in which ``models`` runs them. A tensor that two of them keep is one tensor:

conv, fc         their input; in bf16 a copy of their weights too
batch norm       its input, and the mean and deviation of the batch, in fp32
ReLU, in place   its output, which is what the next convolution keeps
max pool         its input, and the place of each maximum as an int64
local norm       its input, its squares padded by 4 channels, its denominator before and after the power
average pool     its input; a global one needs nothing
dropout          what it left out, as wide as the values (a GPU keeps one byte each), and what it lets through
shortcut         an addition needs nothing; the sum is a new tensor, which its ReLU keeps
loss             the log-probabilities, in fp32, and the labels
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

from verydeep.analyze.dtypes import FP32, INT64
from verydeep.analyze.trace import LayerRow, trace
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Conv, LocalNorm, MaxPool, Residual


@dataclass(frozen=True, eq=False)
class Map:
    """A tensor of the forward pass: the layer that put it out, its values for one image, their width."""

    layer: str
    values: int
    width: int

    @property
    def size(self) -> int:
        """Bytes for one image."""
        return self.values * self.width


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """One step of the forward pass, and what it keeps. Bytes are for one image unless said otherwise."""

    layer: str
    taken: Map
    given: Map
    keeps: tuple[Map, ...] = ()
    extras: int = 0
    """What it keeps besides maps."""
    statistics: int = 0
    """Bytes for the batch: the mean and deviation of a batch norm."""
    weights: int = 0
    """Values."""
    parameters: int = 0
    """Values: weights and biases."""
    relaid: int = 0
    """Scratch of the backward pass: a convolution lays maps out anew, as oneDNN does on a CPU."""
    waiting: int = 0
    """A gradient that lies by in the backward pass: that of the other branch of a residual block."""


class Tape:
    """One forward pass of ``architecture`` with activations of ``width`` bytes."""

    def __init__(self, architecture: Architecture, width: int) -> None:
        self.architecture = architecture
        self.width = width
        self.rows = trace(architecture).layers
        self.images = Map("input", prod(architecture.input), width)
        self.operations: list[Operation] = []
        self._following = iter(self.rows)  # the rows not come to yet: their order is that of the pass
        self._head(self._features())

    def _features(self) -> Map:
        maps, late = self.images, self.architecture.norms_after_pool
        for place, layer in enumerate(self.architecture.layers):
            match layer:
                case Conv():
                    maps = self._weighted(maps)
                    if place + 1 not in late:
                        maps = self._relu(self._norm(maps))
                case MaxPool():
                    maps = self._max_pool(maps)
                    if place in late:
                        maps = self._relu(self._norm(maps))
                case LocalNorm():
                    maps = self._local_norm(maps)
                case Residual():
                    maps = self._block(layer, maps)
        return maps

    def _block(self, block: Residual, images: Map) -> Map:
        began = len(self.operations)
        maps = self._norm(self._weighted(images))
        for _ in block.convs[1:]:
            maps = self._norm(self._weighted(self._relu(maps)))
        joined = len(self.operations)
        row = next(self._following)
        shortcut = images
        if row.kind == "add":
            self._let_wait(range(began, joined - 1), maps.size)
        else:
            shortcut = self._norm(self._weighted(images, row))
            self._let_wait(range(began, joined), images.size)
            self._let_wait(range(joined, len(self.operations) - 1), maps.size)
            row = next(self._following)
        return self._relu(self._map(row, max(maps.width, shortcut.width)))

    def _head(self, maps: Map) -> None:
        head, dropout_first = self.architecture.head, self.architecture.dropout_first
        if self.architecture.map_shape[1:] != (head.grid, head.grid):
            row, pooled_from = next(self._following), maps
            maps = self._map(row, maps.width)
            self._note(row, pooled_from, maps, keeps=(pooled_from,) if head.grid > 1 else ())
        for row in self._following:
            if row is self.rows[-1]:
                logits = self._weighted(maps, row)
                self._loss(logits)
                return
            if dropout_first:
                maps = self._relu(self._weighted(self._dropout(maps, row), row))
            else:
                maps = self._dropout(self._relu(self._weighted(maps, row)), row)

    def _weighted(self, maps: Map, row: LayerRow | None = None) -> Map:
        """A convolution or a fully connected layer."""
        row = row or next(self._following)
        if maps.width != self.width:
            maps = replace(maps, width=self.width)  # autocast copies what a local norm left in fp32
        given = self._map(row, self.width)
        relaid = maps.size + given.size if row.kind == "conv" else 0
        self._note(
            row, maps, given, keeps=(maps,), weights=row.weights, parameters=row.parameters, relaid=relaid
        )
        return given

    def _norm(self, maps: Map) -> Map:
        if self.architecture.norm == "none":
            return maps
        row = next(self._following)
        given = self._map(row, maps.width)
        statistics = 2 * FP32 * row.output[0]
        self._note(row, maps, given, keeps=(maps,), statistics=statistics, parameters=row.parameters)
        return given

    def _relu(self, maps: Map) -> Map:
        self.operations.append(Operation(layer=maps.layer, taken=maps, given=maps, keeps=(maps,)))
        return maps

    def _max_pool(self, maps: Map) -> Map:
        row = next(self._following)
        given = self._map(row, maps.width)
        self._note(row, maps, given, keeps=(maps,), extras=INT64 * given.values)
        return given

    def _local_norm(self, maps: Map) -> Map:
        row = next(self._following)
        channels, height, width = row.output
        given = self._map(row, FP32)  # its pooling and its power are in fp32, whatever comes in
        padded = (channels + 4) * height * width
        self._note(row, maps, given, keeps=(maps,), extras=FP32 * (padded + 2 * given.values))
        return given

    def _dropout(self, maps: Map, row: LayerRow) -> Map:
        if not self.architecture.dropout:
            return maps
        given = replace(maps, layer=row.name)
        self._note(row, maps, given, extras=maps.size)
        return given

    def _loss(self, logits: Map) -> None:
        sums = FP32  # of the weights of the labels, which are 1 each
        self.operations.append(
            Operation(
                layer="loss", taken=logits, given=logits, extras=FP32 * logits.values + INT64, statistics=sums
            )
        )

    def _map(self, row: LayerRow, width: int) -> Map:
        return Map(row.name, prod(row.output), width)

    def _note(self, row: LayerRow, taken: Map, given: Map, **what: Any) -> None:
        self.operations.append(Operation(layer=row.name, taken=taken, given=given, **what))

    def _let_wait(self, places: range, size: int) -> None:
        for place in places:
            self.operations[place] = replace(self.operations[place], waiting=size)
