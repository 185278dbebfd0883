"""How many cores decode for this process."""

from verydeep.machine import usable_cores
from verydeep.torchrun import local_world_size


def cores_of_rank() -> int:
    """The usable cores, divided among the processes that torchrun has started on this host."""
    return max(1, usable_cores() // local_world_size())
