"""An error that all processes of torchrun run into, and that only the first of them prints."""

from typing import NoReturn

from verydeep.errors import RankError, StoppedByOtherRank
from verydeep.torchrun import rank


def fail_on_all_ranks(message: str) -> NoReturn:
    """End this process, as each of the others does.

    Raises:
        RankError: with ``message``, in the first process.
        StoppedByOtherRank: in the others.
    """
    if rank() > 0:
        raise StoppedByOtherRank("the first process says why")
    raise RankError(message)
