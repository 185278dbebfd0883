"""Tables for the terminal: a network layer by layer, and the zoo. They need no torch: they show at once."""

from collections.abc import Sequence
from itertools import groupby

from rich import box
from rich.table import Table
from rich.text import Text

from verydeep.analyze.trace import LayerRow, Trace, trace
from verydeep.report.numbers import NONE, TIMES, rounded
from verydeep.spec.layers import Shape
from verydeep.spec.zoo import Row

LAYER_DEFINITIONS = (
    "A MAC is one multiply-add, without bias. Activations are the values that convolutions, pools and "
    "fully connected layers put out. Field is the receptive field, in input pixels a side."
)
ZOO_DEFINITIONS = (
    "A MAC is one multiply-add, without bias; counted for one image of the size and for the classes that "
    "the network was published with."
)
QUIET = frozenset({"norm", "add"})
"""Kinds of layers that are shown dim: they cost next to nothing."""


def layer_table(network: Trace) -> Table:
    """``network`` with a row a layer and the totals below; 80 columns hold every network of the zoo."""
    table = _table(_layer_title(network), LAYER_DEFINITIONS)
    totals = network.totals
    table.add_column("layer", "total", no_wrap=True)
    table.add_column("output", justify="right", no_wrap=True)
    table.add_column("field", justify="right", no_wrap=True)
    table.add_column("parameters", _count(totals.parameters), justify="right", no_wrap=True)
    table.add_column("MACs", _count(totals.macs), justify="right", no_wrap=True)
    table.add_column("activations", _count(totals.activations), justify="right", no_wrap=True)
    for row in network.layers:
        table.add_row(*_layer_cells(row), style="dim" if row.kind in QUIET else None)
    return table


def zoo_table(rows: Sequence[Row]) -> Table:
    """``rows`` under the papers they come from, with what each network costs."""
    table = _table(Text("The zoo\n", "bold"), ZOO_DEFINITIONS)
    table.show_footer = False
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


def _table(title: Text, definitions: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        caption=Text(f"\n{definitions}", "dim"),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_footer=True,
        header_style="bold",
        footer_style="bold",
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )


def _layer_title(network: Trace) -> Text:
    """Name, input and line; a network that was typed has its line for a name."""
    name = "" if network.name == network.line else f"{network.name} · "
    return Text.assemble((f"{name}input {_shape(network.input)}\n", "bold"), (f"{network.line}\n", "cyan"))


def _layer_cells(row: LayerRow) -> tuple[str | Text, ...]:
    output = _shape(row.output) if row.output[1:] != (1, 1) else f"{row.output[0]:,}"
    return (
        row.name,
        output,
        f"{row.receptive_field:,}",
        _count(row.parameters),
        _count(row.macs),
        _count(row.activations),
    )


def _zoo_cells(row: Row) -> tuple[str | Text, ...]:
    totals = trace(row.architecture).totals
    line = Text.assemble((row.line, "cyan"), " · ", (row.table, "dim"))
    return row.name, rounded(totals.parameters), rounded(totals.macs), line


def _shape(shape: Shape) -> str:
    return f" {TIMES} ".join(map(str, shape))


def _count(count: int) -> str | Text:
    return f"{count:,}" if count else Text(NONE, "dim")
