"""What torchrun tells its processes, and what a process without it is."""

import pytest

from verydeep import torchrun

VARIABLES = {
    "TORCHELASTIC_RUN_ID": "x", "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4",
    "TORCHELASTIC_RESTART_COUNT": "2",
}  # fmt: skip


def read():
    return (
        torchrun.rank(), torchrun.world_size(), torchrun.local_rank(), torchrun.local_world_size(),
        torchrun.restarts(),
    )  # fmt: skip


def test_the_variables_of_torchrun_are_read(monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert torchrun.is_launched()
    assert read() == (5, 8, 1, 4, 2)


@pytest.mark.parametrize("left", [{}, {"RANK": "5", "WORLD_SIZE": "8"}], ids=["none", "of-another-launcher"])
def test_without_torchrun_a_process_is_alone(monkeypatch, left):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    assert not torchrun.is_launched()
    assert read() == (0, 1, 0, 1, 0)
