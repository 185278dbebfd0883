"""Values that all ranks have, or that one of them has for all; without ranks, those of this process."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from jaxtyping import Float, Float32
from torch import Tensor, distributed, nn

from verydeep.errors import RankError
from verydeep.inputs.batch_source import Plan
from verydeep.train.parallel.ranks import FIRST, is_alone, is_first, rank, rank_count
from verydeep.train.parallel.store import hearing_from_all, stopped_by_other

Key = TypeVar("Key")
Value = TypeVar("Value")


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
        raise stopped_by_other()
    return outcome[0]


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
