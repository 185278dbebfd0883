"""A job over very many images, in parts of fixed size that any number of processes share.

The folder of a job has ``_job.json``, which says what is computed of which images, and one file per part. A
part is written completely or not at all, so that a killed process loses the part that it was at. Every
process finds what is missing in this one folder, and works on the same parts: with another list of images or
another network it is refused.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from verydeep.atomic_write import write_text
from verydeep.claim import claim_file
from verydeep.errors import DataError, InUseError
from verydeep.foreign_text import error_text
from verydeep.image_sources.image_source import ImageSource
from verydeep.runtime.file_checksum import blocks_checksum
from verydeep.user_path import user_path

JOB_FILE = "_job.json"
"""Readers of Parquet pass over files whose name begins with an underscore."""
PART_SIZE = 1_000
"""Images of a part: a minute or two of a large network on a CPU."""
OPENING_SECONDS = 30.0
"""That a process waits for others that start at the same time."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What ``_job.json`` says."""

    command: str
    """predict or embed."""
    network: str
    """A checksum of the files of the network."""
    options: dict[str, Any]
    """What else decides the content of the parts."""
    images: int
    list: str
    """A checksum of the locations of the images, in order."""
    part_size: int
    """Images of a part; the last one may have fewer."""

    @property
    def parts(self) -> int:
        """How many there are."""
        return -(-self.images // self.part_size)

    def images_of(self, part: int) -> int:
        """Images of ``part``."""
        return min(self.part_size, self.images - part * self.part_size)


_JOB = TypeAdapter(Job)


def new_job(command: str, run: Path, options: dict[str, Any], sources: Sequence[ImageSource]) -> Job:
    """The job of ``command`` with the network at ``run`` over all of ``sources``."""
    digest = sha256()
    for source in sources:
        digest.update(f"{source}\0".encode(errors="surrogateescape"))
    return Job(
        command=command, network=network_checksum(user_path(run)), options=options,
        images=len(sources), list=digest.hexdigest(), part_size=PART_SIZE,
    )  # fmt: skip


def network_checksum(run: Path) -> str:
    """A checksum of the network at ``run``: of a weight file, a run folder's model, or a bundle."""
    models = (run / name for name in ("model.safetensors", "model.vdz"))
    files = [next((model for model in models if model.is_file()), run)]
    if files[0].is_dir():
        files = sorted(each for each in run.iterdir() if each.is_file() and not each.name.startswith("."))
    return sha256("".join(map(blocks_checksum, files)).encode()).hexdigest()


def part_file(folder: Path, part: int) -> Path:
    """Where ``part``, counted from 0, is written."""
    return folder / f"part-{part:06d}.parquet"


def open_job(folder: Path, job: Job) -> None:
    """Write ``_job.json`` into ``folder``, or check that the one there is of the same job.

    Raises:
        DataError: if the folder holds another job, or something else.
    """
    file = folder / JOB_FILE
    with _claim_in_turn(file):
        if file.exists():
            require_same(folder, job)
        elif folder.is_dir() and any(not each.name.startswith(".") for each in folder.iterdir()):
            raise DataError(f"{folder} has files in it, but no {JOB_FILE}; give a new folder with --out")
        else:
            write_text(file, json.dumps(asdict(job), indent=1))


def require_same(folder: Path, job: Job) -> None:
    """Check that the job in ``folder`` is ``job``.

    Raises:
        DataError: if there is none, or another.
    """
    for name, there, now in _differences(read_job(folder), job):
        values = "" if there is None else f" ({there}, not {now})"
        raise DataError(f"{folder} has parts of another {name}{values}. Give the same, or another --out")


def _differences(found: Job, job: Job) -> Iterator[tuple[str, Any, Any]]:
    """The name of what differs, and both values where a person can tell them apart."""
    if found.command != job.command:
        yield "command", found.command, job.command
    if found.network != job.network:
        yield "network", None, None
    for option in sorted({*found.options, *job.options}):
        if found.options.get(option) != job.options.get(option):
            flag = f"--{option.replace('_', '-')}"
            yield flag, _option_text(found.options.get(option)), _option_text(job.options.get(option))
    if found.images != job.images:
        yield "number of images", f"{found.images:,}", f"{job.images:,}"
    if found.list != job.list:
        yield "list of images", None, None
    if found.part_size != job.part_size:
        yield "size of parts", found.part_size, job.part_size


def _option_text(value: Any) -> str:
    return "none" if value is None else str(value)


def missing_parts(folder: Path, job: Job) -> list[int]:
    """The parts that are not written yet."""
    return [part for part in range(job.parts) if not part_file(folder, part).is_file()]


@contextmanager
def _claim_in_turn(file: Path) -> Iterator[None]:
    """Claim ``file`` as soon as no other process has."""
    deadline = time.monotonic() + OPENING_SECONDS
    while True:
        try:
            with claim_file(file):
                yield
                return
        except InUseError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def read_job(folder: Path) -> Job:
    """The job in ``folder``.

    Raises:
        DataError: if there is none, or its description is damaged.
    """
    file = folder / JOB_FILE
    try:
        return _JOB.validate_json(file.read_bytes(), strict=True)
    except FileNotFoundError:
        raise DataError(f"there is no {file}: nothing was computed there yet") from None
    except ValueError as error:
        raise DataError(f"{file} is not a job of verydeep: {error_text(error)}. Give another --out") from None
