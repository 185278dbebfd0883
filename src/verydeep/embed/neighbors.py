"""Nearest neighbors by cosine similarity."""

import heapq
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from verydeep.embed.vector_batches import VectorBatch, unit_vectors
from verydeep.errors import ShapeError


@dataclass(frozen=True)
class Neighbor:
    """An image with the cosine similarity of its vector to the query, at most 1."""

    file: str
    """Its path, or its location in a shard."""
    similarity: float

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def nearest_neighbors(
    query: Float32[np.ndarray, " values"],
    batches: Iterable[VectorBatch],
    count: int,
    *,
    exclude: Path | None = None,
) -> tuple[Neighbor, ...]:
    """The ``count`` images most similar to ``query``, the most similar first, in constant memory.

    ``exclude`` is the path of the query, which may be among the images.

    Raises:
        ShapeError: if the vectors have another length than the query, so another network or layer.
    """
    excluded = exclude.resolve() if exclude else None
    neighbors = (
        neighbor
        for batch in batches
        for neighbor in _similarities(query, batch)
        if excluded is None or Path(neighbor.file).resolve() != excluded
    )
    return tuple(heapq.nlargest(count, neighbors, key=lambda neighbor: neighbor.similarity))


def _similarities(query: Float32[np.ndarray, " values"], batch: VectorBatch) -> Iterable[Neighbor]:
    if not batch.files:
        return ()
    if batch.vectors.shape[1] != len(query):
        raise ShapeError(
            f"the vectors have {batch.vectors.shape[1]} values, the vector of the image has {len(query)}: "
            "they come from another network or layer. Write them again with `verydeep embed`"
        )
    similarities = unit_vectors(batch.vectors) @ unit_vectors(query[None])[0]
    return map(Neighbor, batch.files, similarities.tolist())
