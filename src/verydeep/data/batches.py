"""The order of an epoch and its batches: pure functions of a seed, so any batch can be taken up again."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.data.images import Images
from verydeep.errors import DataError


class Batch(NamedTuple):
    """Images that are seen together, on the device of the set they come from."""

    pixels: UInt8[Tensor, "batch channels height width"]
    labels: Int64[Tensor, " batch"]
    indices: Int64[Tensor, " batch"]
    """Each image's place in the set."""


def generator(seed: int, *position: int) -> torch.Generator:
    """A CPU generator whose stream depends on ``seed`` and ``position`` alone, such as epoch and step.

    A resumed run makes it anew where it goes on, so that no random state has to be saved. Streams of
    different positions are independent, also where one position is the beginning of another.
    """
    digest = hashlib.blake2b(repr((seed, *position)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))


def order(count: int, epoch: int, seed: int) -> Int64[Tensor, " count"]:
    """The places 0 to ``count - 1`` in the order in which ``epoch`` shows them."""
    return torch.randperm(count, generator=generator(seed, epoch))


def batch_count(count: int, batch_size: int, *, drop_last: bool) -> int:
    """How many batches ``count`` images make; ``drop_last`` leaves out one that is not full.

    Raises:
        DataError: where they make none at all.
    """
    whole, rest = divmod(count, batch_size) if batch_size > 0 else (0, 0)
    batches = whole if drop_last or not rest else whole + 1
    if not batches:
        raise DataError(
            f"{count} images make no batch of {batch_size}; expected a batch size of 1 to {max(count, 1)}"
        )
    return batches


def batches(
    images: Images,
    indices: Int64[Tensor, " chosen"],
    batch_size: int,
    *,
    start: int = 0,
    drop_last: bool = False,
) -> Iterator[Batch]:
    """``images`` at ``indices``, in that order, ``batch_size`` at a time.

    Training takes ``order(len(images), epoch, seed)`` with ``drop_last=True``, evaluation
    ``torch.arange(len(images))``. The set stays on its device; nothing is copied between devices but the
    indices, once.

    Args:
        images: the whole set, held on the device that uses it.
        indices: places in the set.
        batch_size: images a batch.
        start: the number of batches that were already seen, from which a resumed epoch goes on.
        drop_last: whether a last batch that is not full is left out.

    Raises:
        DataError: where there is not a single batch.
    """
    count = batch_count(len(indices), batch_size, drop_last=drop_last)
    indices = indices.to(images.pixels.device)
    for number in range(start, count):
        chosen = indices[number * batch_size : (number + 1) * batch_size]
        yield Batch(images.pixels[chosen], images.labels[chosen], chosen)
