"""The ranks of a training: processes that torchrun starts, and that compute one training together.

Without torchrun, this process is the only rank, and nothing here waits for anybody. With it, every rank makes
the same steps and the same decisions: a decision comes from ``agreed`` or ``by_first``, or from values that
are the same on all ranks. Only the first rank writes and prints.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from hashlib import sha256
from typing import TypeVar

import torch
from jaxtyping import Float, Float32
from torch import Tensor, distributed, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from verydeep import torchrun
from verydeep.errors import RankError, RecipeError, StoppedByOtherRank, VeryDeepError
from verydeep.inputs.batch_source import Plan
from verydeep.inputs.share import Share

Key = TypeVar("Key")
Value = TypeVar("Value")

TIMEOUT_VARIABLE = "VERYDEEP_RANK_TIMEOUT"
TIMEOUT_SECONDS = 50.0
"""How long a rank waits for another one in training, so that a lost host is noticed within a minute."""
PATIENCE_SECONDS = 3600.0
"""How long ranks wait for each other before training: they start, download and read."""
STORE_SECONDS = 10.0
"""How long a rank tries to reach torchrun's store, which is there before the ranks are."""
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


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Connects the ranks that torchrun has started; nothing without torchrun, or within another group.

    Tensors on a GPU go through NCCL, those on a CPU through gloo.

    Raises:
        RankError: where another rank has ended, or does not answer.
        RecipeError: where the environment asks for a timeout that is none.
    """
    if distributed.is_initialized() or not torchrun.is_launched():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    timeout = rank_timeout()
    wait_for_all("started")
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    with hearing_from_all():
        distributed.init_process_group(
            backend,
            store=PrefixStore(f"group {_turn('group')}", _store()),
            rank=torchrun.rank(),
            world_size=torchrun.world_size(),
            timeout=timeout,
        )
    try:
        yield
    except BaseException:  # the group is left as it is: to close it might wait for a rank that is lost
        _say_that_this_rank_ends()
        raise
    distributed.destroy_process_group()


def rank_timeout() -> timedelta:
    """How long a rank waits for another one in training.

    Raises:
        RecipeError: where the environment asks for what is no time.
    """
    text = os.environ.get(TIMEOUT_VARIABLE) or str(TIMEOUT_SECONDS)
    try:
        timeout = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        timeout = timedelta(0)
    if timeout <= timedelta(0):
        raise RecipeError(f"{TIMEOUT_VARIABLE} is {text!r}; expected seconds, such as {TIMEOUT_SECONDS:.0f}")
    return timeout


def agreed(flag: bool) -> bool:
    """Whether ``flag`` is true on any rank: then it is on all of them."""
    if is_alone():
        return flag
    flags = torch.tensor([flag], dtype=torch.int32)
    with hearing_from_all():
        distributed.all_reduce(flags, distributed.ReduceOp.MAX)
    return bool(flags)


class _Failed:
    """In place of a value: the first rank has none."""


def by_first(action: Callable[[], Value]) -> Value:
    """What ``action`` gives on the first rank, where alone it runs; an error there ends all ranks.

    Raises:
        StoppedByOtherRank: on the other ranks, where it fails.
    """
    if is_alone():
        return action()
    outcome: list[Value | _Failed] = [_Failed()]
    error: Exception | None = None
    if is_first():
        try:
            outcome = [action()]
        except Exception as raised:
            error = raised
    with hearing_from_all():
        distributed.broadcast_object_list(outcome, FIRST, device=torch.device("cpu"))
    if error is not None:
        raise error
    if isinstance(outcome[0], _Failed):
        raise StoppedByOtherRank(_SAID)
    return outcome[0]


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


def logits_by_rank(
    count: int,
    classes: int,
    batch_size: int,
    compute: Callable[[Plan], Iterable[Float[Tensor, "_ classes"]]],
) -> Float32[Tensor, "count classes"]:
    """The logits of ``count`` images, on the CPU; each rank has ``compute`` give those of its batches.

    Ranks share whole batches without padding: every image counts once, with the logits of one process.
    """
    plan = torch.arange(count).split(batch_size)[rank() :: rank_count()]
    logits = torch.zeros(count, classes)
    for indices, batch in zip(plan, compute(plan), strict=True):
        logits[indices] = batch.float().cpu()
    if not is_alone():
        with hearing_from_all():
            distributed.all_reduce(logits)  # exact: at each position all ranks but one add zero
    return logits


def gathered(rows: Tensor) -> Tensor:
    """The ``rows`` (first dimension) of all ranks, in their order; every rank has as many."""
    if is_alone():
        return rows
    rows = rows.contiguous()
    everything = [torch.empty_like(rows) for _ in range(rank_count())]
    with hearing_from_all():
        distributed.all_gather(everything, rows)
    return torch.cat(everything)


def take_buffers_of_first(module: nn.Module) -> None:
    """Make the buffers of ``module``, the statistics of batch norm, those of the first rank."""
    if not is_alone():
        with hearing_from_all():
            for buffer in module.buffers():
                distributed.broadcast(buffer, FIRST)


def merged(values: dict[Key, Value]) -> dict[Key, Value]:
    """The ``values`` that any rank has."""
    return {key: value for theirs in _of_everyone(values) for key, value in theirs.items()}


def require_same(values: dict[str, str]) -> None:
    """Refuse to train where a rank has other ``values`` than the first, such as other images.

    Raises:
        RankError: naming what differs.
    """
    everyone = _of_everyone(values)
    for number, theirs in enumerate(everyone):
        for name, value in theirs.items():
            if value != (expected := everyone[FIRST][name]):
                raise RankError(
                    f"{name}: rank {number} has {value}, and the first rank {expected}. All hosts need the "
                    "same files and versions"
                )


def _of_everyone(values: dict[Key, Value]) -> list[dict[Key, Value]]:
    if is_alone():
        return [values]
    everyone: list[dict[Key, Value]] = [{} for _ in range(rank_count())]
    with hearing_from_all():
        distributed.all_gather_object(everyone, values)
    return everyone


@contextmanager
def first_of_host() -> Iterator[None]:
    """The first rank of each host runs the block before its others, which find what it has downloaded."""
    if not torchrun.is_launched():
        yield
        return
    host = f"first of {rank() - torchrun.local_rank()} {_turn('host')}"
    if torchrun.local_rank():
        _wait_for([host])
    yield
    if not torchrun.local_rank():
        _store().set(host, "")
    wait_for_all("prepared")


def wait_for_all(name: str) -> None:
    """Wait until all ranks are here, with the patience that the time before training takes.

    Raises:
        RankError: where another rank has ended, or does not come.
    """
    with hearing_from_all():
        turn = _turn(name)
        _store().set(f"{name} {turn} {torchrun.rank()}", "")
    _wait_for([f"{name} {turn} {each}" for each in range(torchrun.world_size())])


def _turn(name: str) -> int:
    """How often this rank has come to ``name``, from 1; all ranks come there as often.

    It tells what ranks say in one training from what they have said in an earlier one of the same process.
    """
    return int(_store().add(f"turns of {torchrun.rank()} at {name}", 1))


def _wait_for(keys: Sequence[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with hearing_from_all():
        while not _store().check(list(keys)):
            if _store().check([_ENDED]) or time.monotonic() > deadline:
                raise _lost()
            time.sleep(0.1)


@contextmanager
def told_once() -> Iterator[None]:
    """An error that all ranks meet is raised as it is by one of them, which tells it.

    Raises:
        StoppedByOtherRank: in the others.
    """
    try:
        yield
    except (VeryDeepError, OSError) as error:
        if not torchrun.is_launched() or isinstance(error, StoppedByOtherRank):
            raise
        _say_that_this_rank_ends()
        if _is_news(str(error)):
            raise
        raise StoppedByOtherRank(_SAID) from error


def _is_news(message: str) -> bool:
    """Whether this rank is the first to say so."""
    key = sha256(message.encode(errors="replace")).hexdigest()
    try:
        return bool(_store().add(f"message {key}", 1) == 1)
    except RuntimeError:  # the store is gone, with the host that kept it
        return True


def _say_that_this_rank_ends() -> None:
    with suppress(RuntimeError):
        _store().set(_ENDED, "")


@cache
def _store() -> Store:
    """What the processes of one start of torchrun share; it may live as long as the first rank."""
    store: Store = next(rendezvous("env://", timeout=timedelta(seconds=STORE_SECONDS)))[0]
    if torchrun.world_size() > torchrun.local_world_size():
        return store
    # Of a single host, torchrun gives the same store again after a failure, with what was written to it.
    return PrefixStore(f"restart {torchrun.restarts()}", store)


_ENDED = "ended"
"""Set by a rank that ends with an error, which it prints."""
_SAID = "another rank has stopped, and says why"


def _lost() -> RankError | StoppedByOtherRank:
    """The error where another rank does not answer: nothing more is to be said if it has ended with one."""
    with suppress(RuntimeError):
        if _store().check([_ENDED]):
            return StoppedByOtherRank(_SAID)
    return RankError(
        "another rank was killed, or has not answered in time; the last lines of torchrun name it. The same "
        "command resumes the run"
    )


@contextmanager
def hearing_from_all() -> Iterator[None]:
    """Says in words that a rank is lost; the errors of gloo and NCCL have only RuntimeError in common."""
    try:
        yield
    except RuntimeError as error:
        raise _lost() from error
