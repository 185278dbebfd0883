"""What a network costs, exactly: one row a layer, computed from the spec without torch.

A MAC is one multiply-add of a convolution or a fully connected layer; biases, pools and norms count
none. Activations are the values that convolutions, pools and fully connected layers put out; norms,
ReLU, dropout and the additions of shortcuts work in place. A receptive field is in pixels of the input.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import derived_name, fc_names, grid_name, layer_names
from verydeep.architecture.layers import Conv, LocalNorm, MaxPool, Residual, Shape

Kind = Literal["conv", "norm", "pool", "add", "fc"]
_PROJECTION = "_project"
"""How the convolution of a shortcut is called, behind the name of its block."""


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
    architecture_string: str
    input: Shape
    layers: tuple[LayerRow, ...]

    @property
    def path(self) -> tuple[LayerRow, ...]:
        """The layers with weights from the image to the classes, as papers count: no norm, no projection."""
        return tuple(row for row in self.layers if row.macs and not row.name.endswith(_PROJECTION))

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
        architecture_string=architecture.string,
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
    """Pixels of the input between neighboring values."""

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
        name=derived_name(conv_name, "bn"),
        kind="norm",
        output=view.shape,
        weights=view.shape[0],
        biases=view.shape[0],
        receptive_field=view.field,
    )


def _block_rows(architecture: Architecture, block: Residual, name: str, view: _View) -> Iterator[LayerRow]:
    projection = block.projection(view.shape)
    shortcut = _conv_rows(architecture, projection, f"{name}{_PROJECTION}", view) if projection else iter(())
    for number, conv in enumerate(block.convs, start=1):
        yield from _conv_rows(architecture, conv, f"{name}_{number}", view)
        view = view.through(conv)
    yield from shortcut
    yield LayerRow(name=derived_name(name, "add"), kind="add", output=view.shape, receptive_field=view.field)


def _head_rows(architecture: Architecture, view: _View) -> Iterator[LayerRow]:
    channels, height, width = view.shape
    grid = architecture.head.grid
    # From here on a value sees whatever the whole last map sees.
    field = view.field + (max(height, width) - 1) * view.jump
    if (height, width) != (grid, grid):
        pooled = (channels, grid, grid)
        yield LayerRow(
            name=grid_name(architecture), kind="pool", output=pooled,
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
