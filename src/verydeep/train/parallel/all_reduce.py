"""The gradients of all slices of a batch, added in the order of slices: the same on any number of ranks.

The all-reduce of NCCL and gloo adds in an order that depends on the number of ranks. Here every rank gets its
part of the gradients of all slices (all-to-all), adds them in order, and sends its sums to all (all-gather).
With N ranks of one slice each, a rank sends 2 (N - 1) / N times the bytes of the gradients, as in a ring
all-reduce (Patarasuk and Yuan 2009); with L slices on each rank, (1 + L) (N - 1) / N times.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, distributed
from torch.nn import functional

from verydeep.train.parallel.collectives import gathered
from verydeep.train.parallel.ranks import is_alone, rank_count
from verydeep.train.parallel.store import hearing_from_all

Gradients = Sequence[Tensor]
"""One of each parameter."""


def add_in_order(slices: Iterable[Gradients], dtype: torch.dtype) -> list[Tensor]:
    """The gradients summed over the ``slices`` of this rank and those of the others, in fp32.

    Args:
        slices: the gradients of each slice of this rank; all ranks have as many.
        dtype: in which they are exchanged: bfloat16 halves the bytes. A single rank rounds them to it too, so
            that the result does not depend on the number of ranks.
    """
    if is_alone():
        sums = added([gradient.to(dtype).float() for gradient in gradients] for gradients in slices)
        return [gradient.to(dtype).float() for gradient in sums]
    own = list(slices)
    sent = torch.stack([_in_parts(gradients, dtype) for gradients in own], 1)  # (ranks, slices, part)
    received = torch.empty_like(sent)  # of each rank its slices, and of them the part that is added here
    with hearing_from_all():
        distributed.all_to_all_single(received, sent)
    (part,) = added([each] for each in received.flatten(0, 1).float())
    return _like(own[0], gathered(part.to(dtype)).float())


def added(slices: Iterable[Gradients]) -> list[Tensor]:
    """Their sums, from the first to the last; those so far, a slice's and the new sums are held at a time."""
    sums: list[Tensor] = []
    for gradients in slices:
        sums = [a + b for a, b in zip(sums, gradients, strict=True)] if sums else list(gradients)
    return sums


def _in_parts(gradients: Gradients, dtype: torch.dtype) -> Float[Tensor, "ranks part"]:
    """All gradients end to end, and zeros at the end so that the parts are of one length."""
    flat = torch.cat([gradient.flatten() for gradient in gradients]).to(dtype)
    return functional.pad(flat, (0, -len(flat) % rank_count())).view(rank_count(), -1)


def _like(gradients: Gradients, flat: Float[Tensor, " values"]) -> list[Tensor]:
    """``flat`` in the shapes, and in the memory formats, of ``gradients``."""
    parts = flat[: sum(gradient.numel() for gradient in gradients)].split([g.numel() for g in gradients])
    return [
        torch.empty_like(gradient).copy_(part.view_as(gradient))
        for gradient, part in zip(gradients, parts, strict=True)
    ]


def rows_of_all(rows: Float[Tensor, "rows columns"]) -> Float[Tensor, "everything columns"]:
    """The ``rows`` of all ranks, in their order; every rank has as many. Its gradient is theirs, summed."""
    return cast(Callable[[Tensor], Tensor], _RowsOfAll.apply)(rows)


def sum_of_own_rows(terms: Float[Tensor, "everything columns"]) -> Float[Tensor, "rows columns"]:
    """The sum of the ``terms`` that all ranks have for the rows of this one."""
    return cast(Callable[[Tensor], Tensor], _SumOfOwnRows.apply)(terms)


class _RowsOfAll(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, rows: Tensor) -> Tensor:
        return gathered(rows)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _sum_of_own_rows(gradient)


class _SumOfOwnRows(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, terms: Tensor) -> Tensor:
        return _sum_of_own_rows(terms)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gathered(gradient)


def _sum_of_own_rows(terms: Tensor) -> Tensor:
    """They are exchanged in their dtype, and added in fp32."""
    terms = terms.contiguous()
    received = torch.empty_like(terms)
    with hearing_from_all():
        distributed.all_to_all_single(received, terms)
    return received.view(rank_count(), -1, terms.shape[1]).float().sum(0).to(terms.dtype)
