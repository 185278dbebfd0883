"""The files whose vectors point the same way as that of an image."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional

from verydeep.embed.embedder import VectorBatch
from verydeep.errors import ShapeError


@dataclass(frozen=True)
class Neighbor:
    """A file, and the cosine of the angle between its vector and that of the image: 1 is the same."""

    file: Path
    similarity: float


def nearest(
    query: Float32[Tensor, " values"],
    batches: Iterable[VectorBatch],
    count: int,
    *,
    leave_out: Path | None = None,
) -> tuple[Neighbor, ...]:
    """The ``count`` files most similar to ``query``, the most similar first; only they are held.

    ``leave_out`` is the image itself, where it lies among the files.

    Raises:
        ShapeError: where the vectors have another length than the query: another network or layer.
    """
    itself = leave_out.resolve() if leave_out else None
    found = (
        neighbor
        for batch in batches
        for neighbor in _similarities(query, batch)
        if itself is None or neighbor.file.resolve() != itself
    )
    return tuple(heapq.nlargest(count, found, key=lambda neighbor: neighbor.similarity))


def _similarities(query: Float32[Tensor, " values"], batch: VectorBatch) -> Iterable[Neighbor]:
    if not batch.files:
        return ()
    if batch.vectors.shape[1] != len(query):
        raise ShapeError(
            f"the vectors have {batch.vectors.shape[1]} values, that of the image {len(query)}: they come "
            "from another network or layer. Write them again by `verydeep embed`"
        )
    similarities = functional.cosine_similarity(batch.vectors, query[None])
    return map(Neighbor, batch.files, similarities.tolist())
