"""``verydeep info``: what a bug report needs."""

from typing import Annotated

from cyclopts import Parameter

from verydeep.info.info import read_info
from verydeep.tables.info_table import info_text
from verydeep.terminal.console import out, print_json


def info(*, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Show what a bug report needs: versions, machine, precision, cache, language.

    It has no names of users or machines, no addresses and no passwords.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    found = read_info()
    if json:
        print_json(found.values)
    else:
        out().print(info_text(found), markup=False, soft_wrap=True)
    return 0
