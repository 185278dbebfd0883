"""The order of images in an epoch, and what is random: pure functions of a seed, so a run can be resumed."""

import hashlib

import torch
from jaxtyping import Int64
from torch import Tensor


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
