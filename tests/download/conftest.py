"""No test waits between two connections."""

import pytest

from verydeep.download import download


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(download, "_PAUSE", 0.001)
