"""The original and the result of a compression on the images that decide: what both predict for each."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from verydeep.compress.judge import Judge, logits_of
from verydeep.models.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two networks on the same images."""

    pixels: UInt8[np.ndarray, "count channels size size"]
    """Of the input size of the original."""
    labels: Int64[np.ndarray, " count"] | None
    """Indices of ``classes``; None where they are unknown."""
    classes: tuple[str, ...]
    before: Float32[np.ndarray, "count classes"]
    """Logits of the original."""
    after: Float32[np.ndarray, "count classes"]
    """Logits of the result."""


def compare(judge: Judge, network: Checkpoint) -> Comparison:
    """``network`` beside the original of ``judge``, on its images."""
    images = judge.images
    return Comparison(
        pixels=images.pixels.numpy(),
        labels=None if images.labels is None else images.labels.numpy(),
        classes=judge.original.classes,
        before=judge.logits,
        after=logits_of(network, images),
    )
