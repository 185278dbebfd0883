"""Vectors on disk: an npz without pickle, or a Parquet table; written a batch at a time.

npz      ``files`` (text), ``vectors`` (float32, a row a file), ``about`` (JSON)
parquet  columns ``file`` and ``vector`` (a list of fixed length), ``about`` in the schema's metadata
"""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from verydeep.atomic_write import atomic_write
from verydeep.data.parquet import import_pyarrow
from verydeep.data.samples import UnreadableImage
from verydeep.embed.embedder import VectorBatch
from verydeep.errors import DataError

ROWS = 1_024
"""Of a row group of Parquet: readers are slow on many small ones."""

OTHERWISE = "take .npz"


@dataclass(frozen=True, kw_only=True)
class About:
    """Which vectors these are."""

    network: str
    layer: str
    unit_length: bool


@dataclass(frozen=True)
class Vectors:
    """What a file of vectors holds."""

    files: tuple[Path, ...]
    vectors: Float32[Tensor, "files values"]
    about: About


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written, and what could not be read."""

    out: Path
    vectors: int
    dimensions: int
    broken: tuple[UnreadableImage, ...]


def check_out(path: Path) -> None:
    """Refuse what no vectors can be written to, before anything is computed.

    Raises:
        DataError: where the suffix is neither .npz nor .parquet, or Parquet's library is not there.
    """
    if path.suffix not in (".npz", ".parquet"):
        raise DataError(f"{path} is neither .npz nor .parquet; name such a file for the vectors")
    if path.suffix == ".parquet":
        import_pyarrow(OTHERWISE)


def write_vectors(batches: Iterable[VectorBatch], about: About, path: Path) -> Written:
    """Write every batch to ``path`` as it comes, whole or not at all.

    Raises:
        DataError: where there is no vector at all.
    """
    check_out(path)
    tally = _Tally()
    with atomic_write(path) as temporary:
        write = _write_npz if path.suffix == ".npz" else _write_parquet
        write(tally.over(batches), about, temporary)
    return Written(out=path, vectors=tally.count, dimensions=tally.dimensions, broken=tuple(tally.broken))


def read_vectors(path: Path) -> Vectors:
    """What ``write_vectors`` wrote.

    Raises:
        DataError: where the file is not there, broken or foreign.
    """
    check_out(path)
    try:
        files, vectors, about = _read_npz(path) if path.suffix == ".npz" else _read_parquet(path)
        return Vectors(tuple(map(Path, files)), torch.from_numpy(vectors), About(**json.loads(about)))
    except FileNotFoundError:
        raise DataError(f"there is no file of vectors at {path}") from None
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} holds no vectors that `verydeep embed` wrote: {error}") from None


class _Tally:
    """Counts what passes through, and keeps what was broken."""

    def __init__(self) -> None:
        self.count = self.dimensions = 0
        self.broken: list[UnreadableImage] = []

    def over(self, batches: Iterable[VectorBatch]) -> Iterator[VectorBatch]:
        for batch in batches:
            self.broken += batch.broken
            if batch.files:
                self.count += len(batch.files)
                self.dimensions = batch.vectors.shape[1]
                yield batch
        if not self.count:
            first = f", such as {self.broken[0].reason}" if self.broken else ""
            raise DataError(f"none of {len(self.broken)} files could be read{first}")


def _write_npz(batches: Iterable[VectorBatch], about: About, path: Path) -> None:
    """The array's header, which comes first, says how many rows there are: so they wait in a file."""
    files: list[str] = []
    columns = 0
    with tempfile.TemporaryFile(dir=path.parent) as rows, zipfile.ZipFile(path, "w") as archive:
        for batch in batches:
            rows.write(batch.vectors.numpy().astype("<f4").tobytes())
            files += map(str, batch.files)
            columns = batch.vectors.shape[1]
        rows.seek(0)
        with archive.open("vectors.npy", "w", force_zip64=True) as member:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(files), columns)}
            np.lib.format.write_array_header_1_0(member, header)
            shutil.copyfileobj(rows, member)
        for name, array in (("files", np.array(files)), ("about", np.array(json.dumps(asdict(about))))):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _read_npz(path: Path) -> tuple[list[str], Any, str]:
    with np.load(path, allow_pickle=False) as opened:
        return opened["files"].tolist(), opened["vectors"], str(opened["about"])


def _write_parquet(batches: Iterable[VectorBatch], about: About, path: Path) -> None:
    arrow, arrow_parquet = import_pyarrow(OTHERWISE)
    writer = None
    try:
        for files, vectors in _row_groups(batches):
            values = arrow.array(vectors.numpy().ravel())
            table = arrow.table(
                {"file": files, "vector": arrow.FixedSizeListArray.from_arrays(values, vectors.shape[1])}
            ).replace_schema_metadata({"about": json.dumps(asdict(about))})
            writer = writer or arrow_parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer:
            writer.close()


def _row_groups(batches: Iterable[VectorBatch]) -> Iterator[tuple[list[str], Tensor]]:
    files: list[str] = []
    vectors: list[Tensor] = []
    for batch in batches:
        files += map(str, batch.files)
        vectors.append(batch.vectors)
        if len(files) >= ROWS:
            yield files, torch.cat(vectors)
            files, vectors = [], []
    if files:
        yield files, torch.cat(vectors)


def _read_parquet(path: Path) -> tuple[list[str], Any, str]:
    _, arrow_parquet = import_pyarrow(OTHERWISE)
    table = arrow_parquet.read_table(path)
    column = table["vector"].combine_chunks()
    values = column.flatten().to_numpy(zero_copy_only=False).reshape(len(table), -1)
    return table["file"].to_pylist(), values.copy(), (table.schema.metadata or {})[b"about"].decode()
