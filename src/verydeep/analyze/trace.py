"""What a network costs, exactly: one row a layer, computed from the spec without torch.

A MAC is one multiply-add of a convolution or a fully connected layer; biases, pools and norms count
none. Activations are the values that convolutions, pools and fully connected layers put out; norms,
ReLU, dropout and the additions of shortcuts work in place. A receptive field is in pixels of the input.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from verydeep.spec.arch import Architecture
from verydeep.spec.layers import Conv, Layer, LocalNorm, MaxPool, Residual, Shape

Kind = Literal["conv", "norm", "pool", "add", "fc"]


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer: what it holds, what it costs for one image, and how far it sees."""

    name: str
    """As the papers have it: ``conv3_2``, ``pool3``, ``fc6``."""
    kind: Kind
    output: Shape
    """Channels, height, width."""
    weights: int = 0
    biases: int = 0
    macs: int = 0
    activations: int = 0
    receptive_field: int

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The sums of a trace."""

    parameters: int
    weights: int
    biases: int
    macs: int
    activations: int


@dataclass(frozen=True, kw_only=True)
class Trace:
    """An architecture counted layer by layer."""

    name: str
    line: str
    input: Shape
    layers: tuple[LayerRow, ...]

    @property
    def totals(self) -> Totals:
        """The sums over all layers."""
        return Totals(
            parameters=sum(row.parameters for row in self.layers),
            weights=sum(row.weights for row in self.layers),
            biases=sum(row.biases for row in self.layers),
            macs=sum(row.macs for row in self.layers),
            activations=sum(row.activations for row in self.layers),
        )


def trace(architecture: Architecture) -> Trace:
    """``architecture`` counted for one image of its own input."""
    return Trace(
        name=architecture.name,
        line=architecture.line,
        input=architecture.input,
        layers=tuple(_rows(architecture)),
    )


@dataclass(frozen=True)
class _View:
    """Where a walk through the layers has come to: the map, and what one value of it sees."""

    shape: Shape
    field: int = 1
    """Pixels of the input, a side, that one value sees."""
    jump: int = 1
    """Pixels of the input between neighbouring values."""

    def through(self, window: Conv | MaxPool) -> "_View":
        return _View(
            window.output(self.shape), self.field + (window.kernel - 1) * self.jump, self.jump * window.stride
        )


def _rows(architecture: Architecture) -> Iterator[LayerRow]:
    view = _View(architecture.input)
    names = layer_names(architecture)
    late = architecture.norms_after_pool
    for place, layer in enumerate(architecture.layers):
        name = names[place]
        match layer:
            case Conv():
                rows = _conv_rows(architecture, layer, name, view)
                yield from [next(rows)] if place + 1 in late else rows
                view = view.through(layer)
            case MaxPool():
                view = view.through(layer)
                yield LayerRow(
                    name=name, kind="pool", output=view.shape,
                    activations=_values(view.shape), receptive_field=view.field,
                )  # fmt: skip
                if place in late:
                    yield _norm_row(names[place - 1], view)
            case LocalNorm():
                # Its window runs over channels: it sees no further than the convolution before it.
                yield LayerRow(name=name, kind="norm", output=view.shape, receptive_field=view.field)
            case Residual():
                yield from _block_rows(architecture, layer, name, view)
                for conv in layer.convs:
                    view = view.through(conv)
    yield from _head_rows(architecture, view)


def _conv_rows(architecture: Architecture, conv: Conv, name: str, view: _View) -> Iterator[LayerRow]:
    """The convolution, and its batch norm if it has one."""
    after = view.through(conv)
    weights = conv.channels * (view.shape[0] // conv.groups) * conv.kernel**2
    yield LayerRow(
        name=name,
        kind="conv",
        output=after.shape,
        weights=weights,
        biases=conv.channels if architecture.conv_bias else 0,
        macs=weights * after.shape[1] * after.shape[2],
        activations=_values(after.shape),
        receptive_field=after.field,
    )
    if architecture.norm != "none":
        yield _norm_row(name, after)


def _norm_row(conv_name: str, view: _View) -> LayerRow:
    """The batch norm of a convolution, on the map that ``view`` has come to."""
    return LayerRow(
        name=conv_name.replace("conv", "bn", 1),
        kind="norm",
        output=view.shape,
        weights=view.shape[0],
        biases=view.shape[0],
        receptive_field=view.field,
    )


def _block_rows(architecture: Architecture, block: Residual, name: str, view: _View) -> Iterator[LayerRow]:
    projection = block.projection(view.shape)
    shortcut = _conv_rows(architecture, projection, f"{name}_project", view) if projection else iter(())
    for number, conv in enumerate(block.convs, start=1):
        yield from _conv_rows(architecture, conv, f"{name}_{number}", view)
        view = view.through(conv)
    yield from shortcut
    yield LayerRow(
        name=name.replace("conv", "add", 1), kind="add", output=view.shape, receptive_field=view.field
    )


def _head_rows(architecture: Architecture, view: _View) -> Iterator[LayerRow]:
    channels, height, width = view.shape
    grid = architecture.head.grid
    # From here on a value sees whatever the whole last map sees.
    field = view.field + (max(height, width) - 1) * view.jump
    if (height, width) != (grid, grid):
        pooled = (channels, grid, grid)
        yield LayerRow(
            name="gap" if grid == 1 else f"avgpool{grid}", kind="pool", output=pooled,
            activations=_values(pooled), receptive_field=field,
        )  # fmt: skip
    inputs = channels * grid**2
    for name, units in zip(
        fc_names(architecture), (*architecture.head.hidden, architecture.classes), strict=True
    ):
        yield LayerRow(
            name=name, kind="fc", output=(units, 1, 1), weights=inputs * units, biases=units,
            macs=inputs * units, activations=units, receptive_field=field,
        )  # fmt: skip
        inputs = units


def _values(shape: Shape) -> int:
    return shape[0] * shape[1] * shape[2]


def fc_names(architecture: Architecture) -> tuple[str, ...]:
    """``fc6 fc7 fc8`` after five stages; ``fc`` where no hidden layer comes before the classes."""
    hidden = len(architecture.head.hidden)
    if not hidden:
        return ("fc",)
    stages = _numbers(architecture)[-1][0]
    return tuple(f"fc{stages + 1 + number}" for number in range(hidden + 1))


def layer_names(architecture: Architecture) -> tuple[str, ...]:
    """A name for each layer, as the papers have it.

    VGG and ResNet number by stage, ``conv3_2`` and ``pool3``; where all pools overlap, as in AlexNet,
    convolutions are numbered through, ``conv1`` to ``conv5``, and a pool bears the number before it.
    A single convolution ahead of residual blocks, or with a large kernel, is the stem: ``conv1``.
    """
    named = []
    for layer, (stage, index) in zip(architecture.layers, _numbers(architecture), strict=True):
        match layer:
            case Conv() | Residual():
                named.append(f"conv{stage}_{index}" if index else f"conv{stage}")
            case MaxPool():
                named.append(f"pool{stage}")
            case LocalNorm():
                named.append(f"norm{stage}")
    return tuple(named)


def _numbers(architecture: Architecture) -> list[tuple[int, int]]:
    """Stage and place in it of each layer; place 0 where the stage's number says all."""
    if _numbered_through(architecture.layers):
        return _numbers_through(architecture.layers)
    return _numbers_by_stage(architecture.layers)


def _numbered_through(layers: tuple[Layer, ...]) -> bool:
    pools = [layer for layer in layers if isinstance(layer, MaxPool)]
    return len(pools) > 1 and all(pool.kernel > pool.stride for pool in pools)


def _numbers_through(layers: tuple[Layer, ...]) -> list[tuple[int, int]]:
    numbers, stage = [], 0
    for layer in layers:
        stage += isinstance(layer, Conv | Residual)
        numbers.append((stage, 0))
    return numbers


def _numbers_by_stage(layers: tuple[Layer, ...]) -> list[tuple[int, int]]:
    numbers: list[tuple[int, int]] = []
    stage, index, before = 1, 0, None
    for layer, after in zip(layers, chain(layers[1:], [None]), strict=True):
        if _opens_stage(before, layer):
            stage, index = stage + 1, 0
        if isinstance(layer, Conv | Residual):
            index += 1
            numbers.append((stage, 0 if _is_stem(before, layer, after) else index))
        else:
            numbers.append((stage, 0))
        before = layer
    return numbers


def _opens_stage(before: Layer | None, layer: Layer) -> bool:
    """After a pool; at a stride; and where blocks begin."""
    if before is None or isinstance(layer, MaxPool | LocalNorm):
        return False
    if isinstance(before, MaxPool) or layer.stride > 1:
        return True
    return isinstance(layer, Residual) and isinstance(before, Conv)


def _is_stem(before: Layer | None, layer: Conv | Residual, after: Layer | None) -> bool:
    return before is None and isinstance(layer, Conv) and (layer.kernel > 3 or isinstance(after, Residual))
