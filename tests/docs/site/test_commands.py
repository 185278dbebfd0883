"""The pages of the commands say what ``--help`` says."""

import functools
import io
import operator
import re

import pytest
from rich.console import Console

from verydeep.cli.main import app

pytestmark = pytest.mark.usefixtures("scripts")

GROUPS = ("cache", "data", "recipes", "weights")
COMMANDS = [
    *((name,) for name in app if not name.startswith("-") and name not in GROUPS),
    *((group, name) for group in GROUPS for name in app[group] if not name.startswith("-")),
]


def printed_help(words):
    """The text of a help page in one line, without frames."""
    console = Console(file=io.StringIO(), width=500)
    app.help_print(words, console=console)
    return " ".join(re.sub("[│╭╮╰╯─*]", " ", console.file.getvalue()).split())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_page_of_a_command_has_the_flags_texts_and_example_of_its_help(words):
    from commands import command_page

    page = command_page(functools.reduce(operator.getitem, words, app), ("verydeep", *words))
    shown = printed_help(words)
    flags = re.compile(r"(?<![\w-])--[a-z][\w.-]*\w")
    assert set(flags.findall(page)) - {"--help"} == set(flags.findall(shown)) - {"--help", "--version"}
    for entry in re.findall(r"^\* `[^`]+`: (.*?)(?= \*|$)", page, flags=re.MULTILINE):
        assert " ".join(entry.split()) in shown
    (example,) = re.findall(r"\*\*Example\*\*\n\n```sh\n(.*)\n```", page)
    assert f"Example: {example} Next: " in shown


def test_a_group_of_commands_is_one_page_with_a_section_for_each():
    from commands import command_page

    sections = re.findall("^#+ .*$", command_page(app["data"], ("verydeep", "data")), flags=re.MULTILINE)
    assert sections[:2] == ["# verydeep data", "## verydeep data check"]
    assert len(sections) == 1 + len([name for name in app["data"] if not name.startswith("-")])
