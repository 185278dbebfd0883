"""Feature extraction of very many images into a folder of Parquet parts, by any number of processes.

A part has one row per image: its ``file``, its ``vector``, and for an image that cannot be read the ``error``
instead of a vector.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from verydeep.atomic_write import atomic_write
from verydeep.embed.vector_batches import VectorBatch, VectorSource
from verydeep.embed.vector_file import KEY
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.parquet import import_pyarrow, valid_utf8
from verydeep.parts.job import Job
from verydeep.parts.shard import Shard
from verydeep.parts.work import ALTERNATIVE, OnImages, PartsSummary, compute_parts


def embed_to_parts(
    embedder: VectorSource,
    sources: Sequence[ImageSource],
    folder: Path,
    job: Job,
    shard: Shard,
    *,
    progress: OnImages | None = None,
) -> PartsSummary:
    """Write the missing parts of ``shard`` into ``folder``.

    Args:
        embedder: gives the vectors.
        sources: all images of the job.
        folder: of the parts.
        job: what is computed.
        shard: which parts.
        progress: called after each batch.

    Raises:
        DataError, OSError, Interrupted: as ``compute_parts``.
    """

    def write(file: Path, images: Sequence[ImageSource], count: Callable[[int], None]) -> None:
        batches = []
        for batch in embedder(images):
            batches.append(batch)
            count(len(batch.files) + len(batch.broken))
        _write_part(batches, json.dumps(asdict(embedder.metadata)), file)

    return compute_parts(folder, job, sources, shard, write, progress)


def _write_part(batches: Sequence[VectorBatch], metadata: str, path: Path) -> None:
    """All images of a part in one table, the broken ones last."""
    arrow, arrow_parquet = import_pyarrow(ALTERNATIVE)
    files = [file for batch in batches for file in batch.files]
    broken = [image for batch in batches for image in batch.broken]
    vectors = [batch.vectors for batch in batches if batch.files]
    values = np.concatenate(vectors) if vectors else np.zeros((0, 0), np.float32)
    names = [*files, *(str(image.source) for image in broken)]
    table = arrow.table(
        {
            "file": arrow.array(map(valid_utf8, names), arrow.string()),
            "vector": arrow.array([*values, *[None] * len(broken)], arrow.list_(arrow.float32())),
            "error": arrow.array([*[None] * len(files), *(image.reason for image in broken)], arrow.string()),
        }
    ).replace_schema_metadata({KEY: metadata})
    with atomic_write(path) as temporary:
        arrow_parquet.write_table(table, temporary)
