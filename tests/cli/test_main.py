"""The error messages of the command for failures of the machine, and the help."""

import pytest
from safetensors import SafetensorError

from verydeep.cli import main

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
