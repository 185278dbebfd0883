"""The error messages of the command for failures of the machine; the help pages."""

import io
import itertools
import tomllib

import pytest
from rich.console import Console
from safetensors import SafetensorError

from verydeep.cli import main
from verydeep.train.recipe import Recipe, to_toml

COMMANDS = [name for name in main.app if not name.startswith("-")]


def failing(error):
    def app(_):
        raise error

    return app


def test_a_full_disk_is_a_short_message(monkeypatch, capsys):
    error = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    monkeypatch.setattr(main, "app", failing(error))
    assert main.main(["tune"]) == 1
    assert "the disk: Error while serializing: I/O error: No space left" in capsys.readouterr().err


def test_an_internal_error_is_not_hidden(monkeypatch):
    monkeypatch.setattr(main, "app", failing(SafetensorError("InvalidHeader")))
    with pytest.raises(SafetensorError):
        main.main(["tune"])


def test_the_help_has_a_summary_of_every_command(here):
    text = " ".join(here("--help").stdout.replace("│", "").split())
    assert all(command in text for command in COMMANDS)
    assert "Train a classifier on a folder of your own images (transfer learning)." in text


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_ends_with_its_example(here, command):
    helped = here(command, "--help")
    assert helped.returncode == 0
    assert helped.stdout.rsplit("\n\n", 1)[-1].startswith(f"Example: verydeep {command}")


@pytest.mark.parametrize("command", ["data check", "recipes copy", "weights get", "weights import"])
def test_the_help_of_a_subcommand_ends_with_its_example(here, command):
    assert f"Example: verydeep {command}" in here(*command.split(), "--help").stdout.rsplit("\n\n", 1)[-1]


def test_ctrl_c_in_any_command_is_a_short_message(monkeypatch, capsys):
    monkeypatch.setattr("verydeep.cli.recipes.recipe_names", lambda: failing(KeyboardInterrupt())(None))
    assert main.main(["recipes"]) == 130
    assert "Stopped: interrupted" in capsys.readouterr().err


def flags_of(command):
    """The flags of a command, also those that its help does not list; not the tables of a recipe."""
    arguments = main.app[command].assemble_argument_collection(parse_docstring=True)
    return [each for each in arguments if each.parse and not each.children]


def help_page(command, columns):
    console = Console(width=columns, record=True, file=io.StringIO())
    main.app.help_print([command], console=console)
    return console.export_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_of_a_help_page_ends_before_it_is_full(command):
    """The line breaks of a docstring are not those of the page."""
    rows = [line[2:-2] for line in help_page(command, 80).splitlines() if line.startswith("│")]
    for line, following in itertools.pairwise(rows):
        if following.startswith(" " * 8) and following.strip():
            assert len(f"{line.rstrip()} {following.split()[0]}") > len(line), line


@pytest.mark.parametrize("command", ["train", "tune"])
@pytest.mark.parametrize("columns", [80, 100])
def test_every_flag_is_on_the_help_page_in_one_piece_and_has_a_text(command, columns):
    lines = help_page(command, columns).splitlines()
    assert max(map(len, lines)) <= columns
    words = {word for line in lines for word in line.split()}
    for flag in flags_of(command):
        if flag.show:
            assert flag.parameter.help, flag.name
            assert flag.name in words


def test_the_help_of_tune_lists_the_flags_of_fine_tuning_and_names_those_of_scratch(here):
    text = here("tune", "--help").stdout
    shown, hidden = (
        {flag.name for flag in flags_of("tune") if flag.show is wanted} for wanted in (True, False)
    )
    assert "--fine-tune.optimizer.stage-lr-decay" in shown and "--fine-tune.norm" not in shown
    assert hidden and all(name.startswith("--scratch.") for name in hidden)
    assert {"--scratch.epochs", "--scratch.norm", "--scratch.schedule.milestones"} <= hidden
    assert "such flags too: --scratch.epochs" in text and "--scratch.schedule" not in text


def test_the_flags_of_train_are_all_fields_of_a_recipe():
    names = {flag.name.removeprefix("--") for flag in flags_of("train")}
    fields = tomllib.loads(to_toml(Recipe()))
    tables = {key for key, value in fields.items() if isinstance(value, dict)}
    expected = {key.replace("_", "-") for key in fields.keys() - tables}
    expected |= {f"{table}.{key.replace('_', '-')}" for table in tables for key in fields[table]}
    assert expected <= names
