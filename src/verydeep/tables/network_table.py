"""Tables of networks: the layers of one network, and the model zoo. They do not need torch."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rich.table import Table
from rich.text import Text

from verydeep.analyze.layer_rows import LayerRow
from verydeep.analyze.trace import Trace, trace
from verydeep.architecture.layers import Shape
from verydeep.architecture.zoo import ZooRow
from verydeep.errors import ArchitectureError
from verydeep.number_format import TIMES, rounded
from verydeep.tables.data_table import Cell, Column, DataTable, bare_table

LAYER_COLUMNS = (
    Column("layer", "layer", is_text=True),
    Column("kind", "kind", is_text=True),
    Column("output", "output"),
    Column(
        "receptive_field",
        "receptive field",
        "The receptive field is the side of the square of input pixels that a value depends on.",
    ),
    Column("weights", "weights"),
    Column("biases", "biases"),
    Column("parameters", "parameters"),
    Column("macs", "MACs", "A MAC is one multiply-add, without bias."),
    Column(
        "activations",
        "activations",
        "Activations are the output values of convolutions, pools and fully connected layers.",
    ),
    Column(
        "saved",
        "saved",
        "Saved are the bytes of a layer that training saves for the backward pass, for the whole batch.",
    ),
)
COST_COLUMNS = ("layer", "output", "receptive_field", "parameters", "macs", "activations")
TRAINING_COLUMNS = ("layer", "output", "parameters", "activations", "saved")
ZOO_DEFINITIONS = (
    "A MAC is one multiply-add, without bias. Parameters and MACs are for one image, with the image size and "
    "the number of classes of the publication."
)
DIMMED_KINDS = frozenset({"norm", "add"})
"""Kinds of layers that are shown dim: their cost is small."""


def parse_columns(names: str) -> tuple[str, ...]:
    """The columns of a layer table from ``names`` separated by commas; ``layer`` is always the first.

    Raises:
        ArchitectureError: for an unknown name, with all names.
    """
    chosen = [name.strip().lower() for name in names.split(",")]
    known = [column.name for column in LAYER_COLUMNS]
    for name in chosen:
        if name not in known:
            raise ArchitectureError(f"there is no column {name!r}; expected some of {', '.join(known)}")
    return ("layer", *(name for name in dict.fromkeys(chosen) if name != "layer"))


def layer_table(
    network: Trace, columns: Sequence[str] | None = None, saved: Sequence[int] | None = None
) -> DataTable:
    """One row per layer of ``network``, and the totals.

    Args:
        network: the cost of a network.
        columns: names of ``LAYER_COLUMNS`` in order; by default those for training if ``saved`` is given.
        saved: the bytes that training saves of the input, each layer and the loss, for the column ``saved``;
            the table has rows for the input and the loss then.
    """
    columns = columns or (COST_COLUMNS if saved is None else TRAINING_COLUMNS)
    rows = [_row_cells(row) for row in network.layers]
    if saved is not None and "saved" in columns:
        rows = [{"layer": "input", "output": network.input}, *rows, {"layer": "loss"}]
        for row, size in zip(rows, saved, strict=True):
            row["saved"] = size
    counted = ("parameters", "weights", "biases", "macs", "activations", "saved")
    totals = {name: sum(int(str(row.get(name) or 0)) for row in rows) for name in counted}
    total: dict[str, Cell] = {"layer": "total", **totals}
    return DataTable(
        title=_layer_title(network),
        columns=tuple(next(column for column in LAYER_COLUMNS if column.name == name) for name in columns),
        rows=tuple(tuple(row.get(name) for name in columns) for row in rows),
        total=tuple(total.get(name, "") for name in columns),
        dimmed=frozenset(number for number, row in enumerate(rows) if row.get("kind") in DIMMED_KINDS),
    )


def zoo_table(rows: Sequence[ZooRow]) -> Table:
    """``rows`` grouped by paper, with the parameters and MACs of each network."""
    table = bare_table(Text("Model zoo\n", "bold"), ZOO_DEFINITIONS, footer=False)
    table.add_column("network", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("MACs", justify="right", no_wrap=True)
    table.add_column("architecture string, and table of the paper", overflow="fold")
    for paper, members in groupby(rows, key=lambda row: row.paper):
        table.add_section()
        table.add_row("", "", "", Text(paper, "bold"))
        for row in members:
            table.add_row(*_zoo_cells(row))
    return table


def zoo_values(rows: Sequence[ZooRow]) -> list[dict[str, Any]]:
    """``rows`` as JSON values, with the parameters and MACs of each network."""
    return [_zoo_row_values(row) for row in rows]


def _zoo_row_values(row: ZooRow) -> dict[str, Any]:
    traced = trace(row.architecture)
    return {
        "name": row.name,
        "architecture_string": row.architecture_string,
        "aliases": list(row.aliases),
        "paper": row.paper,
        "table": row.table,
        "input": list(traced.input),
        "classes": row.architecture.classes,
        "totals": {"parameters": traced.totals.parameters, "macs": traced.totals.macs},
    }


def _layer_title(network: Trace) -> Text:
    """Name, input and architecture string; without a zoo name, the string is the name and is shown once."""
    name = "" if network.name == network.architecture_string else f"{network.name} · "
    return Text.assemble(
        (f"{name}input {_shape(network.input)}\n", "bold"), (f"{network.architecture_string}\n", "cyan")
    )


def _row_cells(row: LayerRow) -> dict[str, Cell]:
    return {
        "layer": row.name,
        "kind": row.kind,
        "output": row.output,
        "receptive_field": row.receptive_field,
        "weights": row.weights,
        "biases": row.biases,
        "parameters": row.parameters,
        "macs": row.macs,
        "activations": row.activations,
    }


def _zoo_cells(row: ZooRow) -> tuple[str | Text, ...]:
    totals = trace(row.architecture).totals
    string = Text.assemble((row.architecture_string, "cyan"), " · ", (row.table, "dim"))
    return row.name, rounded(totals.parameters), rounded(totals.macs), string


def _shape(shape: Shape) -> str:
    return f" {TIMES} ".join(map(str, shape))
