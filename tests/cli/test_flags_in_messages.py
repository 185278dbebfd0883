"""No message advises a flag that its command does not have."""

import ast
import re
from dataclasses import asdict
from functools import cache
from pathlib import Path

import cyclopts
import pytest

import verydeep
from verydeep.cli.main import app
from verydeep.train.recipe import Recipe
from verydeep.train.unfinished_run import flag_of
from verydeep.tune.config import SHARED, STEPS, UNUSED, TuneConfig

SOURCE = Path(verydeep.__file__).parent
FLAG = re.compile(r"(?<![\w-])--[a-z][\w.-]*\w")
OWN_COMMANDS = {
    "check": ("data check", "tune"),
    "embed/feature_precision.py": ("embed", "tune"),
    "embed": ("embed", "similar"),
    "explain": ("explain",),
    "study": ("study",),
    "train/parallel": ("train",),
    "train/prepare.py": ("train",),
    "train": ("train", "tune"),
    "tune": ("tune",),
}
"""The commands that a package works for: its messages name flags that each of them has. The first entry that
fits decides."""
OF_NO_COMMAND = {"--help", "--lr", "--logdir"}
"""A flag of all commands, one that a comment on a message has as given, and one of TensorBoard."""


@cache
def commands():
    """The flags of each command, by its name such as "data check"."""
    found = {}

    def walk(parent, name):
        for child in parent:
            if not child.startswith("-"):
                command = parent[child]
                path = f"{name} {child}".strip()
                if command.default_command is None:
                    walk(command, path)
                else:
                    arguments = command.assemble_argument_collection(parse_docstring=True)
                    found[path] = {flag for argument in arguments for flag in argument.names}

    walk(app, "")
    return found


def texts(file):
    """The text of each string in ``file``, without docstrings; the values of f-strings are left out."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    comments = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in comments:
            yield node.value


def advised():
    for file in sorted(SOURCE.rglob("*.py")):
        for text in texts(file):
            flags = set(FLAG.findall(text)) - OF_NO_COMMAND
            yield from ((file.relative_to(SOURCE), flag) for flag in flags)


def own_commands(file):
    """The commands that ``file`` works for, or none where it may be any of them."""
    places = (place for place in OWN_COMMANDS if f"{file.as_posix()}/".startswith(f"{place}/"))
    return OWN_COMMANDS.get(next(places, ""), ())


def test_the_commands_are_found():
    assert isinstance(app, cyclopts.App)
    assert "--optimizer.lr" in commands()["train"] and "--optimizer.lr" not in commands()["tune"]
    assert {"weights import", "data check"} <= commands().keys()


@pytest.mark.parametrize(("file", "flag"), sorted(set(advised())), ids=str)
def test_a_flag_in_a_message_is_one_of_its_command(file, flag):
    if own := own_commands(file):
        for command in own:
            assert flag in commands()[command], (
                f"{flag} is advised, but `verydeep {command}` has no such flag"
            )
    else:
        assert any(flag in flags for flags in commands().values())


def keys(config, left_out=(), prefix=""):
    for key, value in config.items():
        if key not in left_out:
            yield from keys(value, left_out, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]


def test_every_setting_of_an_unfinished_run_is_named_by_its_flag():
    tuning = asdict(TuneConfig())
    steps = {step: tuning.pop(step) for step in STEPS}
    assert {flag_of(key) for key in keys(asdict(Recipe()))} <= commands()["train"]
    assert {flag_of(key) for key in keys(tuning)} <= commands()["tune"]
    for step, recipe in steps.items():
        of_step = keys(recipe, SHARED | UNUSED[step], f"{step}.")
        assert {flag_of(key) for key in of_step} <= commands()["tune"]


@pytest.mark.slow
def test_a_command_in_a_message_has_the_flags_beside_it():
    for file in sorted(SOURCE.rglob("*.py")):
        for text in texts(file):
            for line in text.splitlines():
                for command, flags in commands().items():
                    if match := re.search(rf"verydeep {command}\b(.*)", line):
                        assert set(FLAG.findall(match[1])) <= flags | {"--help"}, line
