"""``verydeep list``: the model zoo."""

from verydeep.architecture.zoo import ROWS
from verydeep.tables.network_table import zoo_table, zoo_values
from verydeep.terminal.console import out, print_json


def list_networks(*, json: bool = False) -> int:
    """List the networks that have a name (the model zoo): architecture string, parameters, MACs, paper.

    Parameters
    ----------
    json
        Print one JSON list.
    """
    if json:
        print_json(zoo_values(ROWS))
    else:
        out().print(zoo_table(ROWS))
    return 0
