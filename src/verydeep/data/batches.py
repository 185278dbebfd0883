"""The order of images in an epoch, and its batches: pure functions of a seed, so a run can be resumed."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.data.images import Images
from verydeep.errors import DataError


class Batch(NamedTuple):
    """A batch of labeled images, on the device of the data set."""

    pixels: UInt8[Tensor, "batch channels height width"]
    labels: Int64[Tensor, " batch"]
    indices: Int64[Tensor, " batch"]
    """The index of each image in the data set."""


def generator(seed: int, *position: int) -> torch.Generator:
    """A CPU generator whose stream depends only on ``seed`` and ``position``, such as epoch and step.

    A resumed run creates it again at its position, so that no random state has to be saved. Streams of
    different positions are independent, even if one position is a prefix of another.
    """
    digest = hashlib.blake2b(repr((seed, *position)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))


def order(count: int, epoch: int, seed: int) -> Int64[Tensor, " count"]:
    """The indices 0 to ``count - 1``, shuffled for ``epoch``."""
    return torch.randperm(count, generator=generator(seed, epoch))


def batch_count(count: int, batch_size: int, *, drop_last: bool) -> int:
    """The number of batches of ``count`` images; ``drop_last`` drops the last incomplete batch.

    Raises:
        DataError: if there is not a single batch.
    """
    whole, rest = divmod(count, batch_size) if batch_size > 0 else (0, 0)
    batches = whole if drop_last or not rest else whole + 1
    if not batches:
        raise DataError(
            f"{count} images do not fill a batch of {batch_size}; "
            f"expected a batch size of 1 to {max(count, 1)}"
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
    """``images`` at ``indices``, in that order, in batches of ``batch_size``.

    Training uses ``order(len(images), epoch, seed)`` with ``drop_last=True``, evaluation
    ``torch.arange(len(images))``. The data set stays on its device; only the indices are copied, once.

    Args:
        images: the whole data set, on the device that uses it.
        indices: indices into the data set.
        batch_size: images per batch.
        start: the first batch; a resumed epoch starts at the number of batches it has already used.
        drop_last: whether the last incomplete batch is dropped.

    Raises:
        DataError: if there is not a single batch.
    """
    count = batch_count(len(indices), batch_size, drop_last=drop_last)
    indices = indices.to(images.pixels.device)
    for number in range(start, count):
        chosen = indices[number * batch_size : (number + 1) * batch_size]
        yield Batch(images.pixels[chosen], images.labels[chosen], chosen)
