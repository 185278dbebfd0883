"""What the command says where the machine fails, and not the user."""

import pytest
from safetensors import SafetensorError

from verydeep.cli import main


def failing(error):
    def app(_):
        raise error

    return app


def test_a_full_disk_is_told_in_a_line(monkeypatch, capsys):
    error = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    monkeypatch.setattr(main, "app", failing(error))
    assert main.main(["tune"]) == 1
    assert "the disk: Error while serializing: I/O error: No space left" in capsys.readouterr().err


def test_a_fault_of_ours_is_not_hidden(monkeypatch):
    monkeypatch.setattr(main, "app", failing(SafetensorError("InvalidHeader")))
    with pytest.raises(SafetensorError):
        main.main(["tune"])
