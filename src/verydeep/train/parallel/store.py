"""What ranks tell each other through torchrun's store: that they are here, or that one has ended.

It needs no group of ranks, and a rank that computes for an hour before the others is waited for.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from hashlib import sha256

import torch
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from verydeep import torchrun
from verydeep.errors import RankError, StoppedByOtherRank, VeryDeepError
from verydeep.train.parallel.patience import TIMEOUT_VARIABLE, timeout_before_training

STORE_SECONDS = 10.0
"""How long a rank tries to reach torchrun's store, which is there before the ranks are."""
_ENDED = "ended"
"""Set by a rank whose command ends with an error, which it prints."""
_SAID = "another rank has stopped, and says why"


@dataclass
class _Training:
    """The one that this process computes. A script may catch the error that ends it, and begin the next."""

    number: int = 0
    """How many have begun: as many as in the other ranks, which run the same script."""
    turns: Counter[str] = field(default_factory=Counter)
    """How often this rank has come to each point of it; all ranks come there as often, until one fails."""

    def begin(self) -> None:
        self.number += 1
        self.turns.clear()

    def turn(self, name: str) -> str:
        """A key for this time that all ranks come to ``name``."""
        self.turns[name] += 1
        return f"training {self.number} {name} {self.turns[name]}"

    @property
    def ended(self) -> str:
        """The key that is set by a rank in which it ends with an error."""
        return f"training {self.number} ended"


_training = _Training()


def begin_training() -> None:
    """From here on, what ranks have said in an earlier training of this process does not count."""
    _training.begin()


def say_that_training_ends() -> None:
    """Tell the others that it ends with an error in this rank."""
    with suppress(RuntimeError):
        _store().set(_training.ended, "")


def group_store() -> Store:
    """Where the group of this training keeps its addresses."""
    return PrefixStore(_training.turn("group"), _store())


@contextmanager
def first_of_host() -> Iterator[None]:
    """The first rank of each host runs the block before its others, which find what it has downloaded."""
    if not torchrun.is_launched():
        yield
        return
    host = f"{_training.turn('host')} {torchrun.rank() - torchrun.local_rank()}"
    if torchrun.local_rank():
        _wait_for([host])
    yield
    if not torchrun.local_rank():
        with hearing_from_all():
            _store().set(host, "")


def wait_for_all(name: str) -> None:
    """Wait until all ranks are here, with the patience that the time before training takes.

    Raises:
        RankError: where another rank has ended, or does not come.
    """
    if not torchrun.is_launched():
        return
    here = _training.turn(name)
    with hearing_from_all():
        _store().set(f"{here} {torchrun.rank()}", "")
    _wait_for([f"{here} {each}" for each in range(torchrun.world_size())])


def _wait_for(keys: Sequence[str]) -> None:
    deadline = time.monotonic() + timeout_before_training().total_seconds()
    with hearing_from_all():
        while not _store().check(list(keys)):
            if _has_ended() or time.monotonic() > deadline:
                raise _lost()
            time.sleep(0.1)


@contextmanager
def told_once() -> Iterator[None]:
    """An error that all ranks meet is raised as it is by one of them, which tells it; the command ends.

    Raises:
        StoppedByOtherRank: in the others.
    """
    try:
        yield
    except (VeryDeepError, OSError) as error:
        if not torchrun.is_launched() or isinstance(error, StoppedByOtherRank):
            raise
        with suppress(RuntimeError):
            _store().set(_ENDED, "")
        if _is_news(str(error)):
            raise
        raise stopped_by_other() from error


def _is_news(message: str) -> bool:
    """Whether this rank is the first to say so."""
    key = sha256(message.encode(errors="replace")).hexdigest()
    try:
        return bool(_store().add(f"message {key}", 1) == 1)
    except RuntimeError:  # the store is gone, with the host that kept it
        return True


@cache
def _store() -> Store:
    """What the processes of one start of torchrun share; it may live as long as the first rank."""
    shared: Store = next(rendezvous("env://", timeout=timedelta(seconds=STORE_SECONDS)))[0]
    if torchrun.world_size() > torchrun.local_world_size():
        return shared
    # Of a single host, torchrun gives the same store again after a failure, with what was written to it.
    return PrefixStore(f"restart {torchrun.restarts()}", shared)


def stopped_by_other() -> StoppedByOtherRank:
    """The error where another rank has failed, and says why."""
    return StoppedByOtherRank(_SAID)


def _has_ended() -> bool:
    """Whether another rank has ended, by an error that it prints or that its script has caught."""
    return any(_store().check([key]) for key in (_ENDED, _training.ended))


def _lost() -> RankError | StoppedByOtherRank:
    """The error where another rank does not answer: nothing more is to be said if it has ended with one."""
    with suppress(RuntimeError):
        if _has_ended():
            return stopped_by_other()
    return RankError(
        "another rank was killed, or has not answered in time. The same command resumes the run; where a "
        f"rank is only slow, set {TIMEOUT_VARIABLE} to more seconds"
    )


@contextmanager
def hearing_from_all() -> Iterator[None]:
    """Says in words that a rank is lost; the errors of gloo and NCCL have only RuntimeError in common."""
    try:
        yield
    except torch.OutOfMemoryError:  # of this rank, which has lost nobody
        raise
    except RuntimeError as error:
        raise _lost() from error
