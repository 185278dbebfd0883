"""``verydeep show``: what a network costs."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from verydeep.analyze.trace import LayerRow, Trace, trace
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.errors import ArchitectureError
from verydeep.tables import network_table as tables
from verydeep.tables.data_table import DataTable
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.memory_flags import TrainingFlags, memory_values
from verydeep.terminal.table_flags import AsTableFormat, TableFormat, print_sheets

if TYPE_CHECKING:
    from verydeep.analyze.memory import Forecast


def show(
    network: Annotated[str | None, Parameter(name="NETWORK")] = None,
    /,
    *,
    size: int | None = None,
    channels: int | None = None,
    classes: int | None = None,
    norm: bool = False,
    train: Annotated[TrainingFlags | None, Parameter(name="*")] = None,
    columns: str | None = None,
    form: AsTableFormat = None,
    style: Literal["plain", "keras"] = "plain",
    plot: Path | None = None,
    diagram: Path | None = None,
    why_3x3: Annotated[bool, Parameter(name="--why-3x3", negative="")] = False,
) -> int:
    """Print what a network costs, layer by layer, exactly.

    Parameters
    ----------
    network
        A name of the zoo (`verydeep list`), a paper's letter such as D, or a line of text.
    size
        Side of the images in px; the network's own by default.
    channels
        1 for gray images, 3 for color; the network's own by default. Of all maps, for --why-3x3.
    classes
        Number of classes; the network's own by default.
    norm
        Put a batch norm after every convolution.
    train
        What a training step is like.
    columns
        Columns to show, parted by commas: kind, output, field, weights, biases, parameters, macs,
        activations, kept.
    form
        What is printed in place of a table for the terminal.
    style
        keras prints the network as Keras' summary() does.
    plot
        Draw where activations and parameters sit, layer by layer, into FILE.png or FILE.svg.
    diagram
        Draw the network into FILE.svg.
    why_3x3
        Hold 5x5 and 7x7 against stacks of 3x3, on --channels maps; takes no network.
    """
    form = form or TableFormat()
    if why_3x3:
        return _show_kernels(64 if channels is None else channels, form)
    if network is None:
        raise ArchitectureError("show requires a network: a name of `verydeep list`, or a line of text")
    architecture = _architecture(network, size, channels, classes, norm)
    train = train or TrainingFlags()
    if columns and "kept" in tables.chosen_columns(columns):
        train = TrainingFlags(**{**asdict(train), "training": True})
    traced, foreseen = trace(architecture), train.forecast(architecture)
    if plot:
        from verydeep.pictures.cost_image import save_layer_picture

        save_layer_picture(traced, plot, foreseen)
        _say_written(plot)
    if diagram:
        from verydeep.report.architecture_diagram import save_diagram

        save_diagram(architecture, diagram)
        _say_written(diagram)
    if style == "keras" and form == TableFormat():
        from verydeep.tables.keras_summary import keras_summary

        out().print(keras_summary(traced))
    elif form.json:
        print_json(_values(traced) | (memory_values(foreseen, train.bytes) if foreseen else {}))
    else:
        chosen = tables.chosen_columns(columns) if columns else None
        default = tables.TRAINING_COLUMNS if foreseen else tables.COST_COLUMNS
        layers = tables.layer_sheet(traced, chosen or default, foreseen.kept if foreseen else None)
        print_sheets(form, layers, *_memory_sheets(foreseen, train.bytes))
    return 0


def _memory_sheets(foreseen: "Forecast | None", memory: int) -> list[DataTable]:
    if foreseen is None:
        return []
    from verydeep.tables.cost_tables import memory_sheet

    return [memory_sheet(foreseen, memory)]


def _show_kernels(channels: int, form: TableFormat) -> int:
    from verydeep.analyze.kernels import why_3x3
    from verydeep.tables.cost_tables import kernel_sheet

    stacks = why_3x3(channels)
    if form.json:
        print_json([asdict(stack) for stack in stacks])
    else:
        print_sheets(form, kernel_sheet(stacks, channels))
    return 0


def _architecture(
    network: str, size: int | None, channels: int | None, classes: int | None, norm: bool
) -> Architecture:
    architecture = zoo.resolve(network)
    if norm:
        architecture = architecture.with_batch_norm()
    if classes is not None:
        architecture = architecture.with_classes(classes)
    if size is not None or channels is not None:
        own_channels, *own_size = architecture.input
        architecture = architecture.with_input(channels or own_channels, size or (own_size[0], own_size[1]))
    for note in architecture.notes:
        err().print(f"Note: {note}", markup=False, soft_wrap=True)
    return architecture


def _say_written(path: Path) -> None:
    err().print(f"Wrote {path}", markup=False, soft_wrap=True)


def _values(traced: Trace) -> dict[str, Any]:
    totals = traced.totals
    return {
        "name": traced.name,
        "architecture_string": traced.architecture_string,
        "input": list(traced.input),
        "layers": [_row_values(row) for row in traced.layers],
        "totals": {
            "parameters": totals.parameters,
            "weights": totals.weights,
            "macs": totals.macs,
            "activations": totals.activations,
        },
    }


def _row_values(row: LayerRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "output": list(row.output),
        "weights": row.weights,
        "biases": row.biases,
        "parameters": row.parameters,
        "macs": row.macs,
        "activations": row.activations,
        "receptive_field": row.receptive_field,
    }
