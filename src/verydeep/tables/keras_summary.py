"""A network printed like Keras' ``model.summary()``, with Keras' layer names, shapes and totals.

Shapes are channels-last. A batch norm has four numbers per channel, of which two are not trained: Keras
counts the running mean and variance as parameters. ReLU, dropout and the padding of ResNet's stem have no
parameters and no row. A MB in Keras is 2^20 bytes.
"""

from dataclasses import dataclass
from math import prod

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from verydeep.analyze.layer_rows import LayerRow
from verydeep.analyze.trace import Trace
from verydeep.architecture.layers import Shape


@dataclass(frozen=True)
class KerasRow:
    """One row of Keras' ``summary()``."""

    name: str
    kind: str
    output: tuple[int, ...]
    """Without the batch: height, width, channels; or units."""
    parameters: int
    untrained: int = 0
    """The non-trainable parameters among them: running statistics."""


def keras_rows(network: Trace) -> tuple[KerasRow, ...]:
    """The rows of ``network``, with the layer names of VGG16 and ResNet50 in ``keras.applications``."""
    rows = [KerasRow("input_layer", "InputLayer", _last(network.input), 0)]
    dense = [row.name for row in network.layers if row.kind == "fc"]
    shape = network.input
    for row in network.layers:
        if row.name == dense[0] and shape[1:] != (1, 1):
            rows.append(KerasRow("flatten", "Flatten", (prod(shape),), 0))
        rows.append(_row(row, dense, network))
        shape = row.output
    return tuple(rows)


def _row(row: LayerRow, dense: list[str], network: Trace) -> KerasRow:
    match row.kind:
        case "fc":
            number = dense.index(row.name) + 1
            name = "predictions" if number == len(dense) else f"fc{number}"
            return KerasRow(name, "Dense", (row.output[0],), row.parameters)
        case "pool" if row.name == "gap":
            return KerasRow("avg_pool", "GlobalAveragePooling2D", (row.output[0],), 0)
        case "norm" if row.parameters:
            statistics = 2 * row.output[0]
            name, output = _name(row.name, "bn"), _last(row.output)
            return KerasRow(name, "BatchNormalization", output, row.parameters + statistics, statistics)
    kinds = {"conv": "Conv2D", "add": "Add", "norm": "LocalResponseNorm", "pool": "MaxPooling2D"}
    kind = "AveragePooling2D" if row.name.startswith("avgpool") else kinds[row.kind]
    return KerasRow(_name(row.name, row.kind), kind, _last(row.output), row.parameters)


def _name(name: str, kind: str) -> str:
    """``conv3_2`` as ``block3_conv2``; ``conv2_1_3``, in a residual block, as ``conv2_block1_3_conv``."""
    stage, *numbers = name.lstrip("abcdefghijklmnopqrstuvwxyz").split("_")
    match numbers:
        case [block, "project"]:
            return f"conv{stage}_block{block}_0_{kind}"
        case [block, conv]:
            return f"conv{stage}_block{block}_{conv}_{kind}"
        case [block] if kind == "add":
            return f"conv{stage}_block{block}_add"
        case [conv]:
            return f"block{stage}_conv{conv}" + ("_bn" if kind == "bn" else "")
    return f"block{stage}_pool" if kind == "pool" else f"conv{stage}_{kind}"


def _last(shape: Shape) -> tuple[int, ...]:
    channels, height, width = shape
    return height, width, channels


def keras_summary(network: Trace) -> Group:
    """``network`` as ``model.summary()`` shows it in a terminal."""
    rows = keras_rows(network)
    table = Table(box=box.HEAVY_HEAD, show_lines=True, header_style="bold")
    table.add_column("Layer (type)", overflow="fold")
    table.add_column("Output Shape", overflow="fold")
    table.add_column("Param #", justify="right", no_wrap=True)
    for row in rows:
        shape = f"(None, {', '.join(map(str, row.output))})"
        table.add_row(Text.assemble(row.name, f" ({row.kind})"), shape, f"{row.parameters:,}")
    total, untrained = sum(row.parameters for row in rows), sum(row.untrained for row in rows)
    name = "sequential" if network.name == network.architecture_string else network.name
    return Group(
        Text.assemble("Model: ", (f'"{name}"', "bold")),
        table,
        Text(f" Total params: {_sized(total)}"),
        Text(f" Trainable params: {_sized(total - untrained)}"),
        Text(f" Non-trainable params: {_sized(untrained)}"),
        Text(
            "\nMB is 2^20 bytes here, as in Keras; ReLU and dropout have no parameters and are not shown.",
            "dim",
        ),
    )


def _sized(parameters: int) -> str:
    """``138,357,544 (527.79 MB)``: 4 bytes per parameter."""
    size, units = float(4 * parameters), ["B", "KB", "MB", "GB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{parameters:,} ({size:.2f} {units[0]})"
