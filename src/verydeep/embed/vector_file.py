"""Files of vectors: an npz without pickle, or a Parquet table; written batch by batch.

npz      ``files`` (text), ``vectors`` (float32, one row per file), ``metadata`` (JSON)
parquet  columns ``file`` and ``vector`` (a list of fixed length); JSON under the schema's key ``verydeep``
"""

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verydeep.atomic_write import atomic_write
from verydeep.claim import claim_file
from verydeep.embed.vector_batches import VectorBatch, VectorMetadata, Vectors
from verydeep.errors import DataError
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.image_sources.parquet import import_pyarrow, valid_utf8
from verydeep.parts.job import JOB_FILE, missing_parts, read_job

GROUP_ROWS = 1_024
"""Rows of a row group of Parquet; readers are slow with many small ones."""

KEY = b"verydeep"
"""The key of the metadata in a Parquet schema."""

ALTERNATIVE = "use .npz"
"""For the error message when Parquet's library is not installed."""


@dataclass(frozen=True)
class StoredVectors:
    """The content of a file of vectors."""

    files: tuple[str, ...]
    vectors: Vectors
    metadata: VectorMetadata


@dataclass(frozen=True, kw_only=True)
class EmbeddingSummary:
    """The result of writing vectors to a file."""

    out: Path
    vectors: int
    """Images with a vector."""
    dimensions: int
    """Values per vector."""
    layer: str
    broken: tuple[UnreadableImage, ...]
    """The images that cannot be read, and are left out."""

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "out": str(self.out),
            "vectors": self.vectors,
            "dimensions": self.dimensions,
            "layer": self.layer,
            "broken": [image.values for image in self.broken],
        }


def check_vector_path(path: Path) -> None:
    """Reject a path that no vectors can be written to, before anything is computed.

    Raises:
        DataError: if the suffix is neither .npz nor .parquet, or Parquet's library is not installed.
    """
    if path.suffix not in (".npz", ".parquet"):
        raise DataError(f"{path} is neither .npz nor .parquet; vectors need one of these")
    if path.suffix == ".parquet":
        import_pyarrow(ALTERNATIVE)


def is_vector_file(path: Path) -> bool:
    """Whether ``path`` has vectors: any .npz, a Parquet table but not one of images, or a folder of parts."""
    if path.is_dir():
        return (path / JOB_FILE).is_file()
    if path.suffix != ".parquet" or not path.is_file():
        return path.suffix == ".npz"
    _, arrow_parquet = import_pyarrow(ALTERNATIVE)
    try:
        return KEY in (arrow_parquet.read_schema(path).metadata or {})
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a Parquet table: {error}") from None


def write_vectors(batches: Iterable[VectorBatch], metadata: VectorMetadata, path: Path) -> EmbeddingSummary:
    """Write each batch to ``path`` as it comes; the file is complete or not written at all.

    Raises:
        DataError: if there are no vectors.
        InUseError: if another process writes to ``path``.
    """
    check_vector_path(path)
    counter = _Counter()
    with claim_file(path), atomic_write(path) as temporary:
        write = _write_npz if path.suffix == ".npz" else _write_parquet
        write(counter.count(batches), json.dumps(asdict(metadata)), temporary)
    return EmbeddingSummary(
        out=path, vectors=counter.vectors, dimensions=counter.dimensions,
        layer=metadata.layer, broken=tuple(counter.broken),
    )  # fmt: skip


def read_vectors(path: Path) -> StoredVectors:
    """The vectors that ``write_vectors`` wrote to ``path``, or ``embed_to_parts`` to a folder.

    Raises:
        DataError: if the file does not exist, is corrupt, or was not written by ``write_vectors``; if a
            folder has not all parts, or no image of it can be read.
    """
    if path.is_dir():
        _require_all_parts(path)
    else:
        check_vector_path(path)
    try:
        files, vectors, metadata = _read_npz(path) if path.suffix == ".npz" else _read_parquet(path)
        stored = StoredVectors(tuple(files), vectors, VectorMetadata(**json.loads(metadata)))
    except FileNotFoundError:
        raise DataError(f"there is no file of vectors at {path}") from None
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} was not written by `verydeep embed`: {error}") from None
    if not stored.files:
        raise DataError(f"{path} has no vectors, because none of its images can be read. Embed other images")
    return stored


def _require_all_parts(folder: Path) -> None:
    job = read_job(folder)
    if job.command != "embed":
        raise DataError(
            f"{folder} was not written by `verydeep embed`, but by `verydeep {job.command}`. Give a folder "
            "or file of vectors"
        )
    if missing := missing_parts(folder, job):
        raise DataError(
            f"{folder} has {job.parts - len(missing):,} of {job.parts:,} parts; run the same "
            "`verydeep embed` again, which computes the others"
        )


class _Counter:
    """Counts vectors as they are written, and collects broken images."""

    def __init__(self) -> None:
        self.vectors = self.dimensions = 0
        self.broken: list[UnreadableImage] = []

    def count(self, batches: Iterable[VectorBatch]) -> Iterator[VectorBatch]:
        for batch in batches:
            self.broken += batch.broken
            if batch.files:
                self.vectors += len(batch.files)
                self.dimensions = batch.vectors.shape[1]
                yield batch
        if not self.vectors:
            first = f", such as {self.broken[0].reason}" if self.broken else ""
            raise DataError(f"none of {len(self.broken)} images can be read{first}")


def _write_npz(batches: Iterable[VectorBatch], metadata: str, path: Path) -> None:
    """An array's header comes first and has the number of rows, so rows go to a temporary file before."""
    files: list[str] = []
    columns = 0
    with tempfile.TemporaryFile(dir=path.parent) as rows, zipfile.ZipFile(path, "w") as archive:
        for batch in batches:
            rows.write(batch.vectors.astype("<f4").tobytes())
            files += batch.files
            columns = batch.vectors.shape[1]
        rows.seek(0)
        with archive.open("vectors.npy", "w", force_zip64=True) as member:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(files), columns)}
            np.lib.format.write_array_header_1_0(member, header)
            shutil.copyfileobj(rows, member)
        for name, array in (("files", np.array(files)), ("metadata", np.array(metadata))):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _read_npz(path: Path) -> tuple[list[str], Any, str]:
    with np.load(path, allow_pickle=False) as opened:
        return opened["files"].tolist(), opened["vectors"], str(opened["metadata"])


def _write_parquet(batches: Iterable[VectorBatch], metadata: str, path: Path) -> None:
    arrow, arrow_parquet = import_pyarrow(ALTERNATIVE)
    writer = None
    try:
        for files, vectors in _row_groups(batches):
            values = arrow.array(vectors.ravel())
            names = list(map(valid_utf8, files))
            table = arrow.table(
                {"file": names, "vector": arrow.FixedSizeListArray.from_arrays(values, vectors.shape[1])}
            ).replace_schema_metadata({KEY: metadata})
            writer = writer or arrow_parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer:
            writer.close()


def _row_groups(
    batches: Iterable[VectorBatch],
) -> Iterator[tuple[list[str], Vectors]]:
    files: list[str] = []
    vectors: list[Vectors] = []
    for batch in batches:
        files += batch.files
        vectors.append(batch.vectors)
        if len(files) >= GROUP_ROWS:
            yield files, np.concatenate(vectors)
            files, vectors = [], []
    if files:
        yield files, np.concatenate(vectors)


def _read_parquet(path: Path) -> tuple[list[str], Any, str]:
    _, arrow_parquet = import_pyarrow(ALTERNATIVE)
    table = arrow_parquet.read_table(path)
    table = table.filter(table["vector"].is_valid())  # parts have a row without one for a broken image
    column = table["vector"].combine_chunks()
    values = column.flatten().to_numpy(zero_copy_only=False)
    values = values.reshape(len(table), len(values) // max(1, len(table)))
    return table["file"].to_pylist(), values.copy(), (table.schema.metadata or {})[KEY].decode()
