"""What a compression has measured so far, in the folder of its result, so that it resumes after a stop.

compress-state/journal.json     what it was started with, the architectures to try, and each candidate
compress-state/N.safetensors    the network of candidate N, if it was accepted

Latency differs from one measurement to the next, so the journal keeps what was measured: a resumed
compression decides by the same numbers.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from verydeep.atomic_write import delete_folder, remove_leftovers, write_text
from verydeep.claim import LOCK, claim_folder
from verydeep.compress.candidate import Candidate, Measured
from verydeep.compress.narrow.search import Point
from verydeep.data.split_file import SPLIT_FILE
from verydeep.errors import CheckpointError, CompressionError
from verydeep.foreign_text import error_text
from verydeep.models.checkpoint import Checkpoint
from verydeep.weight_files.checkpoint_file import load, save

STATE = "compress-state"
JOURNAL = "journal.json"
MODEL, COMPACT, RESULT = "model.safetensors", "model.vdz", "compress.json"
"""The result: the network, its compact file, and what was tried and measured, as ``--json`` prints it."""
RESULT_FILES = (MODEL, COMPACT, RESULT, SPLIT_FILE, "report.html")
"""All that is written at the end, just before the journal is deleted."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One candidate."""

    key: str
    """What was made: ``narrow 16 M 48 M | gap``."""
    name: str
    measured: Measured
    kept: bool
    why: str
    seconds: float
    """That it took to make and to measure."""
    file: str | None
    """Of its network, in the folder of the journal; None where that is known, or not needed any more."""


@dataclass(frozen=True, kw_only=True)
class _Content:
    start: dict[str, Any]
    points: tuple[Point, ...] | None = None
    """The architectures of the search over widths; None where it was not made yet."""
    contenders: tuple[str, ...] | None = None
    """The names of those that are trained."""
    distill_ended: bool = False
    """Whether a distillation did not fit the budget, by the clock: none is started after that."""
    entries: list[_Entry] = field(default_factory=list)
    failed: dict[str, float] = field(default_factory=dict)
    """The contenders that gave no network, as they did not learn or no time was left, with their seconds."""


_CONTENT = TypeAdapter(_Content)


def require_free(out: Path) -> None:
    """Check that ``out`` is new, empty, or an unfinished compression.

    Raises:
        CompressionError: where it has other files.
    """
    if not out.exists() or (out / STATE / JOURNAL).is_file():
        return
    remove_leftovers(out)
    if any(child.name not in (LOCK, STATE) for child in out.iterdir()):
        raise CompressionError(f"{out} is not empty. Give another --out")


def start_over(out: Path) -> None:
    """Delete the unfinished compression in ``out``, if there is one.

    Raises:
        InUseError: where another process works on it.
    """
    with claim_folder(out):
        if (out / STATE).is_dir():
            for name in RESULT_FILES:
                (out / name).unlink(missing_ok=True)
            delete_folder(out / STATE)


class Journal:
    """The candidates that were measured, by what they are.

    Args:
        out: the folder of the result, which the caller has claimed.
        start: what decides the compression: the same again continues it.

    Raises:
        CompressionError: where ``out`` has an unfinished compression of another start, or other files.
        CheckpointError: where its journal is damaged.
    """

    def __init__(self, out: Path, start: Mapping[str, Any]) -> None:
        require_free(out)
        self.folder = out / STATE
        as_json = json.loads(json.dumps(start))
        self.content = self._read() or _Content(start=as_json)
        if differing := [key for key, value in as_json.items() if self.content.start.get(key) != value]:
            raise CompressionError(
                f"{out} has an unfinished compression with other {', '.join(differing)}. Give the same again "
                "to continue it, another --out, or --new to start over"
            )

    def __len__(self) -> int:
        return len(self.content.entries)

    def seconds(self, *names: str) -> float:
        """The time that the candidates of the steps ``names`` took; all candidates where none is named."""
        entries = self.content.entries
        return sum((entry.seconds for entry in entries if not names or entry.name in names), 0.0)

    def points(self, search: Callable[[], Sequence[Point]]) -> tuple[Point, ...]:
        """The architectures of ``search``, which runs once."""
        if self.content.points is None:
            self._write(replace(self.content, points=tuple(search())))
        assert self.content.points is not None
        return self.content.points

    def contenders(self, choose: Callable[[], Sequence[str]]) -> tuple[str, ...]:
        """The names that ``choose`` gives, by the clock, the first time."""
        if self.content.contenders is None:
            self._write(replace(self.content, contenders=tuple(choose())))
        assert self.content.contenders is not None
        return self.content.contenders

    def end_distill(self) -> None:
        """Remember that a distillation did not fit the budget."""
        self._write(replace(self.content, distill_ended=True))

    def fail(self, contender: str, seconds: float) -> None:
        """Remember that ``contender`` gave no network, after so long: it is not trained again."""
        self._write(replace(self.content, failed={**self.content.failed, contender: seconds}))

    def candidate(
        self,
        key: str,
        make: Callable[[], Candidate],
        *,
        source: Checkpoint | None = None,
        earlier_seconds: float = 0.0,
    ) -> Candidate:
        """The candidate ``key``, which ``make`` makes and measures once.

        Args:
            key: what it is.
            make: makes and measures it.
            source: of which no copy is kept.
            earlier_seconds: that processes before this one have spent on it.
        """
        for entry in self.content.entries:
            if entry.key == key:
                return self._candidate(entry, source)
        began = time.perf_counter()
        made = make()
        file = None
        if made.kept and made.checkpoint is not None and made.checkpoint is not source:
            file = f"{len(self)}.safetensors"
            save(made.checkpoint, self.folder / file)
        entry = _Entry(
            key=key,
            name=made.name,
            measured=made.measured,
            kept=made.kept,
            why=made.why,
            seconds=earlier_seconds + time.perf_counter() - began,
            file=file,
        )
        self._write(replace(self.content, entries=[*self.content.entries, entry]))
        return made

    def remove(self) -> None:
        """Delete it: the compression is finished."""
        delete_folder(self.folder)

    def _candidate(self, entry: _Entry, source: Checkpoint | None) -> Candidate:
        network = source
        if entry.file is not None:
            try:
                network = load(self.folder / entry.file)
            except CheckpointError as error:
                raise CheckpointError(f"{error}. Start over with --new") from None
        return Candidate(entry.name, network, entry.measured, entry.kept, entry.why)

    def _read(self) -> _Content | None:
        file = self.folder / JOURNAL
        if not file.is_file():
            return None
        try:
            return _CONTENT.validate_json(file.read_bytes())
        except ValueError as error:
            raise CheckpointError(f"{file} is damaged: {error_text(error)}. Start over with --new") from None

    def _write(self, content: _Content) -> None:
        write_text(self.folder / JOURNAL, json.dumps(asdict(content)))
        self.content = content
