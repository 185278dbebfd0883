"""``verydeep list``: the zoo."""

from typing import Any

from verydeep.analyze.trace import trace
from verydeep.architecture.zoo import ROWS, ZooRow
from verydeep.tables.network_table import zoo_table
from verydeep.terminal.console import out, print_json


def list_networks(*, json: bool = False) -> int:
    """List the networks of the zoo: name, line of text, where each was published.

    Parameters
    ----------
    json
        Print one JSON list, with the totals of each network.
    """
    if json:
        print_json([_values(row) for row in ROWS])
    else:
        out().print(zoo_table(ROWS))
    return 0


def _values(row: ZooRow) -> dict[str, Any]:
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
