"""What torchrun tells the processes that it starts, in environment variables. Needs no torch."""

import os


def is_launched() -> bool:
    """Whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def world_size() -> int:
    """How many processes torchrun has started, on all hosts; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if is_launched() else 1


def rank() -> int:
    """The number of this process among them, from 0."""
    return int(os.environ["RANK"]) if is_launched() else 0


def local_rank() -> int:
    """The number of this process among those on this host, from 0."""
    return int(os.environ["LOCAL_RANK"]) if is_launched() else 0


def local_world_size() -> int:
    """How many processes torchrun has started on this host; 1 without it."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if is_launched() else 1


def restarts() -> int:
    """How often torchrun has started the processes again, after a failure."""
    return int(os.environ["TORCHELASTIC_RESTART_COUNT"]) if is_launched() else 0
