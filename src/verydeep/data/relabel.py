"""Corrects labels of a data set: moves images between class folders, or rewrites the label column of a list.

First everything is planned and checked, without a change. No file is ever lost or replaced: images are moved
to free names, a list is rewritten completely or not at all, and a file that undoes it all is written first.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from verydeep.data.label_file import LabelRow, read_label_file, undoing, write_label_file
from verydeep.data.place_file import free_names, move_file
from verydeep.data.relabel_list import rewrite_labels
from verydeep.errors import DataError
from verydeep.file_name import file_name, same_name
from verydeep.image_sources.find_images import split_columns
from verydeep.image_sources.open_images import read_samples
from verydeep.image_sources.samples import Samples
from verydeep.user_path import user_path

SHOWN = 3
"""Problems that an error message names."""
MOST_NUMBERED = 20
"""Names with a number that are looked at for an image that was moved before."""


@dataclass(frozen=True, kw_only=True)
class Relabeling:
    """What a file of corrected labels changes; nothing is changed yet."""

    location: str
    """Of the data set."""
    changes: tuple[LabelRow, ...]
    """Each with its ``new_path``; in a list the paths stay."""
    already: int
    """Corrections that were applied before."""

    @property
    def is_list(self) -> bool:
        """Whether labels are in a list and not in the names of folders."""
        return not user_path(self.location).is_dir()

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """The number of changes from each label to each other one, the most first."""
        return dict(Counter((row.label, row.new_label) for row in self.changes).most_common())

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        changes = [
            {"path": row.path, "label": row.label, "new_label": row.new_label, "new_path": row.new_path}
            for row in self.changes
        ]
        return {"data": self.location, "changes": changes, "already": self.already}


def plan_relabeling(file: Path, location: str | None = None, *, add_classes: bool = False) -> Relabeling:
    """What the filled ``new_label`` cells of ``file`` change. Nothing is changed.

    Args:
        file: as ``write_label_file`` wrote it, with labels in the column ``new_label``.
        location: of the data set, a folder of class folders or a CSV list; by default as ``file`` has it.
        add_classes: allow labels that no image has yet; without it they are typing errors.

    Raises:
        DataError: if the data is of another kind, or a correction cannot be applied; names the first few.
    """
    rows, written = read_label_file(file)
    location = location or written
    if location is None:
        raise DataError(f"{file} does not say of which data set it is; give the folder or list after it")
    samples = read_samples(location)
    folder = user_path(location)
    if not folder.is_dir() and Path(split_columns(location)[0]).suffix.lower() not in (".csv", ".tsv"):
        raise DataError(
            f"{location} is neither a folder nor a CSV list; correct its labels where it was made"
        )
    if not all(isinstance(source, Path) for source in samples.sources):
        raise DataError(
            f"the images of {location} are inside of other files; correct them where they were made"
        )
    wanted = [(number, row) for number, row in enumerate(rows, 2) if row.new_label not in ("", row.label)]
    planner = _Planner(samples, folder if folder.is_dir() else None, add_classes)
    changes, problems = [], []
    for number, row in wanted:
        try:
            changes += planner.plan(row)
        except DataError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        more = f"; and {len(problems) - SHOWN:,} more" if len(problems) > SHOWN else ""
        raise DataError(f"{file}, nothing was changed. {'; '.join(problems[:SHOWN])}{more}")
    return Relabeling(location=location, changes=tuple(changes), already=len(wanted) - len(changes))


class _Planner:
    """Plans one correction after the other; none of them takes the new name of another."""

    def __init__(self, samples: Samples, folder: Path | None, add_classes: bool) -> None:
        self.folder, self.classes, self.add_classes = folder, samples.classes, add_classes
        labels = [samples.classes[label] for label in samples.labels.tolist()]
        self.labels = dict(zip(samples.names, labels, strict=True))
        self.taken: set[str] = set()

    def plan(self, row: LabelRow) -> list[LabelRow]:
        """The row with its new path; nothing where it was applied before.

        Raises:
            DataError: if it cannot be applied.
        """
        if row.new_label not in self.classes and not self.add_classes:
            near = get_close_matches(row.new_label, self.classes, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "--add-classes allows new ones"
            raise DataError(
                f"{row.new_label!r} is none of the classes {', '.join(self.classes[:10])}; {hint}"
            )
        label = self.labels.get(row.path)
        if label == row.new_label or (label is None and self._was_moved(row)):
            return []
        if label is None:
            raise DataError(f"there is no image {row.path}")
        if label != row.label:
            raise DataError(f"{row.path} is labeled {label!r} and not {row.label!r}")
        return [replace(row, new_path=row.path if self.folder is None else self._new_path(row, self.folder))]

    def _was_moved(self, row: LabelRow) -> bool:
        if self.folder is None or not _is_below(PurePosixPath(row.path), row.label):
            return False
        moved = PurePosixPath(row.new_path or _with_class(PurePosixPath(row.path), row.label, row.new_label))
        names = islice(free_names(moved.name), MOST_NUMBERED)
        return any(os.path.lexists(self.folder / moved.with_name(name)) for name in names)

    def _new_path(self, row: LabelRow, folder: Path) -> str:
        source = PurePosixPath(row.path)
        if (folder / source).is_symlink():
            raise DataError(f"{row.path} is a link; move it by hand")
        if same_name(file_name(row.new_label, "")) != same_name(row.new_label):
            raise DataError(f"{row.new_label!r} cannot be the name of a folder")
        target = _with_class(source, row.label, row.new_label)
        if row.new_path and _is_below(PurePosixPath(row.new_path), row.new_label):
            target = PurePosixPath(row.new_path)
        target = _as_on_disk(folder, target)
        for name in free_names(target.name):
            candidate = target.with_name(name)
            key = same_name(str(candidate))
            if key not in self.taken and not os.path.lexists(folder / candidate):
                self.taken.add(key)
                return str(candidate)
        raise AssertionError("names never end")


def _with_class(path: PurePosixPath, label: str, new_label: str) -> PurePosixPath:
    """``path`` with the name of its class folder replaced."""
    names = list(path.parts)
    for depth, name in enumerate(names[:-1]):
        if same_name(name) == same_name(label):
            names[depth] = new_label
            return PurePosixPath(*names)
    raise DataError(f"{path} is not in a folder {label!r}")


def _is_below(path: PurePosixPath, label: str) -> bool:
    names = map(same_name, path.parts[:-1])
    return not path.is_absolute() and ".." not in path.parts and same_name(label) in names


def _as_on_disk(folder: Path, path: PurePosixPath) -> PurePosixPath:
    """``path`` with the names of existing folders as they are stored, which may be in NFD."""
    found = PurePosixPath()
    for name in path.parts[:-1]:
        parent = folder / found
        stored = [each.name for each in parent.iterdir()] if parent.is_dir() else []
        same = [each for each in stored if same_name(each) == same_name(name)]
        found /= name if name in stored or not same else same[0]
    return found / path.name


def apply_relabeling(relabeling: Relabeling, undo: Path) -> Path:
    """Make the changes of ``relabeling``.

    Args:
        relabeling: the plan; the data set must not have changed since.
        undo: where the file that undoes it is written, before anything else; another name if it is taken.

    Returns:
        The path of that file, for ``plan_relabeling``.

    Raises:
        DataError: if a change fails; those before it stay, and can be undone or continued.
    """
    log = next(path for name in free_names(undo.name) if not os.path.lexists(path := undo.with_name(name)))
    write_label_file(undoing(relabeling.changes), log, relabeling.location)
    done = 0
    try:
        for _ in _apply(relabeling):
            done += 1
    except OSError as error:
        raise DataError(
            f"{done:,} of {len(relabeling.changes):,} labels were changed, then: {error}. Run the same "
            f"command again to continue, or undo it by: verydeep data relabel {log} --apply"
        ) from None
    return log


def _apply(relabeling: Relabeling) -> Iterator[LabelRow]:
    """Each change after it was made; those of a list are made together, before the first."""
    if relabeling.is_list:
        rewrite_labels(relabeling.location, {row.path: row.new_label for row in relabeling.changes})
        yield from relabeling.changes
        return
    folder = user_path(relabeling.location)
    for row in relabeling.changes:
        target = folder / row.new_path
        target.parent.mkdir(parents=True, exist_ok=True)
        move_file(folder / row.path, target)
        yield row


def changes_text(changes: Sequence[LabelRow], limit: int) -> list[str]:
    """One line for each of the first changes, and how many more there are."""
    lines = [
        f"{row.path}: {row.label} -> {row.new_label}"
        + (f", {row.new_path}" if row.new_path != row.path else "")
        for row in changes[:limit]
    ]
    return [*lines, f"and {len(changes) - limit:,} more"] if len(changes) > limit else lines
