"""The original and the result of a compression on the images that decide: what both predict for each."""

from dataclasses import dataclass

from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from verydeep.compress.candidate import Bench
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.logits import predict_logits


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two networks on the same images."""

    pixels: UInt8[Tensor, "count channels size size"]
    """Of the input size of the original."""
    labels: Int64[Tensor, " count"] | None
    """Indices of ``classes``; None where they are unknown."""
    classes: tuple[str, ...]
    before: Float32[Tensor, "count classes"]
    """Logits of the original."""
    after: Float32[Tensor, "count classes"]
    """Logits of the result."""


def compare(bench: Bench, network: Checkpoint) -> Comparison:
    """``network`` beside the original of ``bench``, on its images."""
    return Comparison(
        pixels=bench.images.pixels,
        labels=bench.images.labels,
        classes=bench.original.classes,
        before=bench.logits,
        after=predict_logits(network.model, bench.images.pixels, network.preprocess),
    )
