"""The ranks of a training: processes that torchrun starts, and that compute one training together.

Without torchrun, this process is the only rank, and nothing waits for anybody. With it, every rank makes the
same steps and the same decisions: a decision comes from ``agreed`` or ``by_first`` (collectives.py), or from
values that are the same on all ranks. Only the first rank writes and prints.
"""

from torch import distributed

from verydeep.errors import RecipeError
from verydeep.inputs.share import Share

FIRST = 0


def rank_count() -> int:
    """How many ranks compute this training."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """The number of this rank, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else FIRST


def is_alone() -> bool:
    """Whether this process has no group of ranks, not even one of itself."""
    return not distributed.is_initialized()


def is_first() -> bool:
    """Whether this is the rank that writes and prints."""
    return rank() == FIRST


def share_of_rank(slices: int) -> Share:
    """The part of each batch of so many ``slices`` that this rank computes.

    Raises:
        RecipeError: where the ranks cannot share them evenly.
    """
    count = rank_count()
    if slices % count:
        more = -(-slices // count) * count
        raise RecipeError(
            f"slices is {slices}, and {count} ranks cannot share them evenly. Give --slices {more}, which is "
            f"another recipe where the network has batch norm, or start as many ranks as divide {slices}"
        )
    return Share(slices=slices, ranks=count, rank=rank())
