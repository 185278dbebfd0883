"""The cores that decode for a process."""

from verydeep.decoding import cores
from verydeep.machine import usable_cores


def test_ranks_on_a_host_share_its_cores(monkeypatch, as_rank):
    assert cores.cores_of_rank() == usable_cores()
    monkeypatch.setattr(cores, "usable_cores", lambda: 16)
    for ranks, shared in ((2, 8), (5, 3), (32, 1)):
        as_rank(0, ranks)
        assert cores.cores_of_rank() == shared
