"""Tables for the terminal: a network layer by layer, and the zoo. They need no torch: they show at once."""

from collections.abc import Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text

from verydeep.analyze.trace import LayerRow, Trace, trace
from verydeep.architecture.layers import Shape
from verydeep.architecture.zoo import ZooRow
from verydeep.errors import ArchitectureError
from verydeep.tables.data_table import Cell, Column, DataTable, bare_table, terminal
from verydeep.tables.format import TIMES, rounded

LAYER_COLUMNS = (
    Column("layer", "layer", is_text=True),
    Column("kind", "kind", is_text=True),
    Column("output", "output"),
    Column("field", "field", "Field is the receptive field, in input pixels a side."),
    Column("weights", "weights"),
    Column("biases", "biases"),
    Column("parameters", "parameters"),
    Column("macs", "MACs", "A MAC is one multiply-add, without bias."),
    Column(
        "activations",
        "activations",
        "Activations are the values that convolutions, pools and fully connected layers put out.",
    ),
    Column(
        "kept",
        "kept",
        "Kept are the bytes that training keeps of a layer from the forward pass to the backward one, "
        "for the whole batch.",
    ),
)
COST_COLUMNS = ("layer", "output", "field", "parameters", "macs", "activations")
TRAINING_COLUMNS = ("layer", "output", "parameters", "activations", "kept")
ZOO_DEFINITIONS = (
    "A MAC is one multiply-add, without bias; counted for one image of the size and for the classes that "
    "the network was published with."
)
QUIET = frozenset({"norm", "add"})
"""Kinds of layers that are shown dim: they cost next to nothing."""


def chosen_columns(names: str) -> tuple[str, ...]:
    """The columns of a layer table that ``names``, parted by commas, asks for; the layer always leads.

    Raises:
        ArchitectureError: with the columns there are.
    """
    wanted = [name.strip().lower() for name in names.split(",")]
    known = [column.name for column in LAYER_COLUMNS]
    for name in wanted:
        if name not in known:
            raise ArchitectureError(f"there is no column {name!r}; expected some of {', '.join(known)}")
    return ("layer", *(name for name in dict.fromkeys(wanted) if name != "layer"))


def layer_sheet(
    network: Trace, columns: Sequence[str] = COST_COLUMNS, kept: Sequence[int] | None = None
) -> DataTable:
    """``network`` with a row a layer and the totals below.

    Args:
        network: what is shown.
        columns: names of ``LAYER_COLUMNS``, in the order to be shown.
        kept: bytes that training keeps of the input, each layer and the loss, to be a column; the input and
            the loss are rows then.
    """
    rows = [_row_cells(row) for row in network.layers]
    if kept is not None and "kept" in columns:
        rows = [{"layer": "input", "output": network.input}, *rows, {"layer": "loss"}]
        for row, size in zip(rows, kept, strict=True):
            row["kept"] = size
    counted = ("parameters", "weights", "biases", "macs", "activations", "kept")
    totals = {name: sum(int(str(row.get(name) or 0)) for row in rows) for name in counted}
    total: dict[str, Cell] = {"layer": "total", **totals}
    return DataTable(
        title=_layer_title(network),
        columns=tuple(next(column for column in LAYER_COLUMNS if column.name == name) for name in columns),
        rows=tuple(tuple(row.get(name) for name in columns) for row in rows),
        total=tuple(total.get(name, "") for name in columns),
        quiet=frozenset(number for number, row in enumerate(rows) if row.get("kind") in QUIET),
    )


def layer_table(network: Trace) -> Table:
    """``network`` for a terminal; 80 columns hold every network of the zoo."""
    return terminal(layer_sheet(network))


def zoo_table(rows: Sequence[ZooRow]) -> Table:
    """``rows`` under the papers they come from, with what each network costs."""
    table = bare_table(Text("The zoo\n", "bold"), ZOO_DEFINITIONS, footer=False)
    table.add_column("network", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("MACs", justify="right", no_wrap=True)
    table.add_column("line, and where it was published", overflow="fold")
    for paper, members in groupby(rows, key=lambda row: row.paper):
        table.add_section()
        table.add_row("", "", "", Text(paper, "bold"))
        for row in members:
            table.add_row(*_zoo_cells(row))
    return table


def _layer_title(network: Trace) -> Text:
    """Name, input and line; a network that was typed has its line for a name."""
    name = "" if network.name == network.architecture_string else f"{network.name} · "
    return Text.assemble(
        (f"{name}input {_shape(network.input)}\n", "bold"), (f"{network.architecture_string}\n", "cyan")
    )


def _row_cells(row: LayerRow) -> dict[str, Cell]:
    return {
        "layer": row.name,
        "kind": row.kind,
        "output": row.output,
        "field": row.receptive_field,
        "weights": row.weights,
        "biases": row.biases,
        "parameters": row.parameters,
        "macs": row.macs,
        "activations": row.activations,
    }


def _zoo_cells(row: ZooRow) -> tuple[str | Text, ...]:
    totals = trace(row.architecture).totals
    line = Text.assemble((row.architecture_string, "cyan"), " · ", (row.table, "dim"))
    return row.name, rounded(totals.parameters), rounded(totals.macs), line


def _shape(shape: Shape) -> str:
    return f" {TIMES} ".join(map(str, shape))
