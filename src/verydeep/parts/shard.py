"""Which parts of a job this process does: shard I of N, as a flag or torchrun's variables give it."""

import re
from dataclasses import dataclass

from verydeep import torchrun
from verydeep.errors import DataError


@dataclass(frozen=True)
class Shard:
    """One of ``count`` processes that share a job; ``number`` counts from 1."""

    number: int
    count: int

    def has(self, part: int) -> bool:
        """Whether ``part``, counted from 0, is one of this shard."""
        return part % self.count == self.number - 1


def parse_shard(text: str) -> Shard:
    """The shard that ``text``, such as 3/8, stands for.

    Raises:
        DataError: if it is something else.
    """
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise DataError(
            f"--shard is {text!r}; expected I/N with I from 1 to N, such as 1/4 for the first of four"
        )
    return Shard(int(match[1]), int(match[2]))


def shard_of_process() -> Shard:
    """The shard of a process of torchrun by its rank; the whole job for any other process."""
    return Shard(torchrun.rank() + 1, torchrun.world_size())
