"""Computes the missing parts of a job, and says how far it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verydeep.claim import claim_file
from verydeep.errors import DataError, Interrupted, InUseError
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.parquet import import_pyarrow
from verydeep.parts.job import Job, missing_parts, open_job, part_file, require_same
from verydeep.parts.shard import Shard

ALTERNATIVE = "give --out one file of another format"
"""For the error message when Parquet's library is not installed."""

OnImages = Callable[[int, int], None]
"""Called with the images of this process that are done, and with all that it has to do."""
WritePart = Callable[[Path, Sequence[ImageSource], Callable[[int], None]], None]
"""Writes the part of some images to a path, completely or not at all, and calls its last argument with the
number of images of each batch."""


@dataclass(frozen=True, kw_only=True)
class PartsSummary:
    """How far a job is."""

    out: Path
    images: int
    """Of the whole job."""
    parts: int
    computed: int
    """Images that this process has computed."""
    missing: tuple[int, ...]
    """The parts that are not written yet, by any process."""
    broken: int
    """Images in the written parts that cannot be read; their rows have the reason."""
    broken_parts: tuple[Path, ...]
    """The files with these rows."""

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "out": str(self.out),
            "images": self.images,
            "parts": self.parts,
            "computed": self.computed,
            "missing": list(self.missing),
            "broken": self.broken,
        }


def is_parts_folder(path: Path) -> bool:
    """Whether results at ``path`` are parts in a folder: it is a folder, or a name without a suffix."""
    return path.is_dir() or not path.suffix


def compute_parts(
    folder: Path,
    job: Job,
    sources: Sequence[ImageSource],
    shard: Shard,
    write: WritePart,
    progress: OnImages | None = None,
) -> PartsSummary:
    """Compute the missing parts of ``shard`` into ``folder``.

    A part that another process is at is left to it.

    Raises:
        DataError: if the folder holds another job or a damaged part, or Parquet's library is not installed.
        OSError: if the disk is full; all finished parts are kept.
        Interrupted: on Ctrl-C; all finished parts are kept.
    """
    import_pyarrow(ALTERNATIVE)
    open_job(folder, job)
    mine = [part for part in missing_parts(folder, job) if shard.has(part)]
    planned, done = sum(map(job.images_of, mine)), 0

    def count(images: int) -> None:
        nonlocal done
        done += images
        if progress:
            progress(done, planned)

    try:
        for part in mine:
            start = part * job.part_size
            _write_part(part_file(folder, part), sources[start : start + job.part_size], write, count)
    except KeyboardInterrupt:
        raise Interrupted(f"{folder} keeps all finished parts. Continue with the same command") from None
    return _summary(folder, job, done)


def check_parts(folder: Path, job: Job) -> PartsSummary:
    """How far the job in ``folder`` is; every part is read.

    Raises:
        DataError: if the folder holds another job, or a part is damaged.
    """
    require_same(folder, job)
    return _summary(folder, job, 0)


def _write_part(
    file: Path, images: Sequence[ImageSource], write: WritePart, count: Callable[[int], None]
) -> None:
    """Write ``file``, unless another process is at it or has written it meanwhile."""
    try:
        with claim_file(file):
            if not file.is_file():
                write(file, images, count)
    except InUseError:
        pass


def _summary(folder: Path, job: Job, computed: int) -> PartsSummary:
    missing = missing_parts(folder, job)
    written = sorted(set(range(job.parts)) - set(missing))
    counts = {part_file(folder, part): job.images_of(part) for part in written}
    broken = {file: count for file in counts if (count := _broken_images(file, counts[file]))}
    return PartsSummary(
        out=folder, images=job.images, parts=job.parts, computed=computed,
        missing=tuple(missing), broken=sum(broken.values()), broken_parts=tuple(broken),
    )  # fmt: skip


def _broken_images(file: Path, images: int) -> int:
    """Rows of the part that have an error.

    Raises:
        DataError: if the part cannot be read, or has another number of rows.
    """
    _, arrow_parquet = import_pyarrow(ALTERNATIVE)
    try:
        errors = arrow_parquet.read_table(file, columns=["error"])["error"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{file} is damaged: {error}. Delete it, and run the command again") from None
    if len(errors) != images:
        raise DataError(
            f"{file} has {len(errors):,} rows, expected {images:,}. Delete it, and run the command again"
        )
    return len(errors) - int(errors.null_count)
