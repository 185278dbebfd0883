"""``verydeep show``: the cost of a network, layer by layer."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.errors import ArchitectureError
from verydeep.tables.network_table import layer_table, parse_columns
from verydeep.terminal.console import out, print_json, print_message
from verydeep.terminal.memory_flags import MemoryFlags
from verydeep.terminal.table_flags import TableFormat, TableFormatFlags, print_tables
from verydeep.terminal.unfit_flags import refuse_beside


def show(
    network: Annotated[str | None, Parameter(name="NETWORK")] = None,
    /,
    *,
    size: int | None = None,
    channels: int | None = None,
    classes: int | None = None,
    norm: bool = False,
    memory_flags: Annotated[MemoryFlags | None, Parameter(name="*")] = None,
    columns: str | None = None,
    table_format: TableFormatFlags = None,
    style: Literal["plain", "keras"] = "plain",
    plot: Path | None = None,
    diagram: Path | None = None,
    why_3x3: Annotated[bool, Parameter(name="--why-3x3", negative="")] = False,
) -> int:
    """Show the parameters, MACs, activations and receptive field of each layer, and training memory.

    Parameters
    ----------
    network
        A name from `verydeep list`, a paper's letter such as D, or an architecture string.
    size
        Side of the images in px; the network's own by default.
    channels
        1 for gray images, 3 for color; the network's own by default. With --why-3x3, channels of the maps.
    classes
        Number of classes; the network's own by default.
    norm
        Add a batch norm after every convolution.
    memory_flags
        The options of a training step.
    columns
        Columns to show, separated by commas: kind, output, receptive_field, weights, biases, parameters,
        macs, activations, saved.
    table_format
        The output format.
    style
        keras prints the network like Keras' model.summary(), a table of its own: without other columns,
        formats and training memory.
    plot
        Draw activations and parameters of each layer as bars into FILE.png or FILE.svg.
    diagram
        Draw the network into FILE.svg.
    why_3x3
        Compare 5x5 and 7x7 kernels with stacks of 3x3 kernels; takes no network, and of the options only
        --channels and the output format.
    """
    table_format, memory_flags = table_format or TableFormat(), memory_flags or MemoryFlags()
    if why_3x3:
        refuse_beside("--why-3x3", {
            f"the network {network}": network, "--size": size, "--classes": classes, "--norm": norm,
            "--training and what belongs to it": memory_flags.is_given, "--columns": columns,
            f"--style {style}": style != "plain", "--plot": plot, "--diagram": diagram,
        })  # fmt: skip
        return _show_kernels(64 if channels is None else channels, table_format)
    if style == "keras":
        refuse_beside("--style keras", {
            "--training and what belongs to it": memory_flags.is_given, "--columns": columns,
            "--json": table_format.json, "--csv": table_format.csv, "--markdown": table_format.markdown,
        })  # fmt: skip
    if network is None:
        raise ArchitectureError(
            "show requires a network: a name from `verydeep list` or an architecture string"
        )
    architecture = zoo.resolve(network).with_options(
        channels=channels, size=size, classes=classes, batch_norm=norm
    )
    for note in architecture.notes:
        print_message(f"Note: {note}")
    chosen = parse_columns(columns) if columns else None
    needs_memory = memory_flags.is_given or "saved" in (chosen or ())
    traced, memory = trace(architecture), memory_flags.estimate(architecture) if needs_memory else None
    if plot:
        from verydeep.pictures.cost_image import save_layer_picture

        save_layer_picture(traced, plot, memory)
        print_message(f"Wrote {plot}")
    if diagram:
        from verydeep.report.architecture_diagram import save_diagram

        save_diagram(architecture, diagram)
        print_message(f"Wrote {diagram}")
    if style == "keras":
        from verydeep.tables.keras_summary import keras_summary

        out().print(keras_summary(traced))
    elif table_format.json:
        print_json(traced.to_dict() | ({"memory": memory.to_dict(memory_flags.limit)} if memory else {}))
    elif memory is None:
        print_tables(table_format, layer_table(traced, chosen))
    else:
        from verydeep.tables.cost_tables import memory_table

        layers = layer_table(traced, chosen, memory.saved)
        print_tables(table_format, layers, memory_table(memory, memory_flags.limit))
    return 0


def _show_kernels(channels: int, table_format: TableFormat) -> int:
    from verydeep.analyze.kernels import why_3x3
    from verydeep.tables.cost_tables import kernel_table

    stacks = why_3x3(channels)
    if table_format.json:
        print_json([asdict(stack) for stack in stacks])
    else:
        print_tables(table_format, kernel_table(stacks, channels))
    return 0
