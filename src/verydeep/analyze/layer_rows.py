"""The cost of each layer, computed from the architecture without torch.

A MAC is one multiply-add of a convolution or a fully connected layer; biases, pools and norms have
none. Activations are the output values of convolutions, pools and fully connected layers; norms,
ReLU, dropout and the additions of shortcuts work in place. A receptive field is in pixels of the input.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import derived_name, fc_names, grid_name, layer_names
from verydeep.architecture.layers import Conv, LocalNorm, MaxPool, Residual, Shape

Kind = Literal["conv", "norm", "pool", "add", "fc"]
PROJECTION = "_project"
"""The suffix of the convolution of a shortcut, after the name of its block."""


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer: its parameters, its cost for one image, and its receptive field."""

    name: str
    """As in the papers: ``conv3_2``, ``pool3``, ``fc6``."""
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

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "output": list(self.output),
            "weights": self.weights,
            "biases": self.biases,
            "parameters": self.parameters,
            "macs": self.macs,
            "activations": self.activations,
            "receptive_field": self.receptive_field,
        }


@dataclass(frozen=True)
class _FeatureMap:
    """The output of the layers so far: its shape, and the receptive field of its values."""

    shape: Shape
    receptive_field: int = 1
    """Side in pixels of the input."""
    jump: int = 1
    """Distance in pixels of the input between the receptive fields of neighboring values."""

    def after(self, window: Conv | MaxPool) -> "_FeatureMap":
        return _FeatureMap(
            window.output(self.shape),
            self.receptive_field + (window.kernel - 1) * self.jump,
            self.jump * window.stride,
        )


def layer_rows(architecture: Architecture) -> Iterator[LayerRow]:
    """The rows of all layers, in the order in which they run."""
    current = _FeatureMap(architecture.input)
    names = layer_names(architecture)
    norms_after_pool = architecture.norms_after_pool
    for index, layer in enumerate(architecture.layers):
        name = names[index]
        match layer:
            case Conv():
                rows = _conv_rows(architecture, layer, name, current)
                yield from [next(rows)] if index + 1 in norms_after_pool else rows
                current = current.after(layer)
            case MaxPool():
                current = current.after(layer)
                yield _row(name, "pool", current, activations=_values(current.shape))
                if index in norms_after_pool:
                    yield _norm_row(names[index - 1], current)
            case LocalNorm():
                # Its window runs over channels, so that the receptive field stays the same.
                yield _row(name, "norm", current)
            case Residual():
                yield from _block_rows(architecture, layer, name, current)
                for conv in layer.convs:
                    current = current.after(conv)
    yield from _head_rows(architecture, current)


def _row(name: str, kind: Kind, current: _FeatureMap, **counts: int) -> LayerRow:
    return LayerRow(
        name=name, kind=kind, output=current.shape, receptive_field=current.receptive_field, **counts
    )


def _conv_rows(architecture: Architecture, conv: Conv, name: str, current: _FeatureMap) -> Iterator[LayerRow]:
    """The convolution, and its batch norm if it has one."""
    after = current.after(conv)
    weights = conv.channels * (current.shape[0] // conv.groups) * conv.kernel**2
    yield _row(
        name,
        "conv",
        after,
        weights=weights,
        biases=conv.channels if architecture.conv_bias else 0,
        macs=weights * after.shape[1] * after.shape[2],
        activations=_values(after.shape),
    )
    if architecture.norm != "none":
        yield _norm_row(name, after)


def _norm_row(conv_name: str, current: _FeatureMap) -> LayerRow:
    """The batch norm of a convolution."""
    channels = current.shape[0]
    return _row(derived_name(conv_name, "bn"), "norm", current, weights=channels, biases=channels)


def _block_rows(
    architecture: Architecture, block: Residual, name: str, current: _FeatureMap
) -> Iterator[LayerRow]:
    shortcut: Iterator[LayerRow] = iter(())
    if projection := block.projection(current.shape):
        shortcut = _conv_rows(architecture, projection, f"{name}{PROJECTION}", current)
    for number, conv in enumerate(block.convs, start=1):
        yield from _conv_rows(architecture, conv, f"{name}_{number}", current)
        current = current.after(conv)
    yield from shortcut
    yield _row(derived_name(name, "add"), "add", current)


def _head_rows(architecture: Architecture, last: _FeatureMap) -> Iterator[LayerRow]:
    channels, height, width = last.shape
    grid = architecture.head.grid
    # In the head, the receptive field of every value is that of the whole last map.
    receptive_field = last.receptive_field + (max(height, width) - 1) * last.jump
    if (height, width) != (grid, grid):
        pooled = _FeatureMap((channels, grid, grid), receptive_field)
        yield _row(grid_name(architecture), "pool", pooled, activations=_values(pooled.shape))
    inputs = channels * grid**2
    for name, units in zip(
        fc_names(architecture), (*architecture.head.hidden, architecture.classes), strict=True
    ):
        current = _FeatureMap((units, 1, 1), receptive_field)
        weights = inputs * units
        yield _row(name, "fc", current, weights=weights, biases=units, macs=weights, activations=units)
        inputs = units


def _values(shape: Shape) -> int:
    return shape[0] * shape[1] * shape[2]
