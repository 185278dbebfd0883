"""``verydeep recipes``: list the training recipes, and copy one to edit it."""

import re
import shlex
from pathlib import Path

import cyclopts
from rich.table import Table
from rich.text import Text

from verydeep.atomic_write import write_text
from verydeep.terminal.console import out, print_json
from verydeep.terminal.output_path import require_new_file
from verydeep.train.recipe import recipe_names, recipe_text, summary

app = cyclopts.App(
    name="recipes",
    result_action="return_value",
    help_format="plaintext",
    help_epilogue="Example: verydeep recipes copy fast mine.toml\n"
    "Next: verydeep train fashion-mnist --recipe mine.toml",
)


@app.default
def list_recipes(*, json: bool = False) -> int:
    """List the recipes that come with the package.

    Parameters
    ----------
    json
        Print one JSON list.
    """
    summaries = {name: summary(recipe_text(name)) for name in recipe_names()}
    if json:
        print_json([{"name": name, "summary": text} for name, text in summaries.items()])
        return 0
    table = Table(box=None, show_header=False)
    for name, text in summaries.items():
        table.add_row(Text(name, "bold"), text)
    out().print(table)
    return 0


@app.command(help_epilogue=app.help_epilogue)
def copy(name: str, to: Path | None = None, /) -> int:
    """Write a recipe to a file, to be edited and given to `verydeep train --recipe`.

    Parameters
    ----------
    name
        A recipe's name.
    to
        The file to write; NAME.toml in this folder by default.
    """
    target = to or Path(f"{name}.toml")
    text = recipe_text(name)
    require_new_file(target, f"name another file: verydeep recipes copy {name} FILE")
    write_text(target, text)
    out().print(f"Wrote {target}. Train by it: {_command(name, text, target)}", markup=False, soft_wrap=True)
    return 0


def _command(name: str, text: str, target: Path) -> str:
    """The command that the recipe itself names, with the copy as its recipe."""
    given = re.search(r"^# Command: (.+)$", text, re.MULTILINE)
    command = given[1] if given else "verydeep train fashion-mnist"
    return f"{command.replace(f' --recipe {name}', '')} --recipe {shlex.quote(str(target))}"
