"""Finds image files in files, folders and globs; folders are walked as for all commands."""

import fnmatch
import glob
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from verydeep.errors import DataError
from verydeep.image_sources.folders.walk import Walk, walk, why_skipped
from verydeep.image_sources.reading import Reading
from verydeep.image_sources.suffixes import COMMON_SUFFIXES
from verydeep.user_path import user_path


@dataclass(frozen=True)
class FoundFiles:
    """Image files, and what was passed over beside them."""

    files: Sequence[Path]
    reading: Reading = field(default_factory=Reading)


def find_files(path: str | Path) -> FoundFiles:
    """The image files at ``path``: a file, a folder with its subfolders, or a glob; what was passed over.

    A file is included whatever its suffix is. Folders and globs include only files with an image suffix, and
    no hidden files.

    Raises:
        DataError: if the path does not exist, or a folder or glob has no images.
    """
    path = user_path(path)
    if path.is_file():
        return FoundFiles((path,))
    files: Sequence[Path]
    if path.is_dir():
        walked = walk(path)
        files, skipped = walked.images, Counter(walked.skipped)
    elif glob.has_magic(str(path)):
        files, skipped = _of_glob(path)
    else:
        raise DataError(f"{path} does not exist; expected files, folders, or globs such as 'photos/*.jpg'")
    reading = Reading(dict(skipped))
    if not files:
        raise no_images(path, reading)
    return FoundFiles(files, reading)


def no_images(path: Path, reading: Reading) -> DataError:
    """The error for a place without images, with the files that are there."""
    others = f". It has {reading.skipped_text}" if reading.skipped else ""
    return DataError(f"{path} has no images; expected files such as {COMMON_SUFFIXES}{others}")


def glob_files(pattern: str) -> list[Path]:
    """The paths that match ``pattern``, sorted, as in a shell: hidden ones only if the pattern says so.

    ``**`` as a whole name matches any number of folders, and inside of a longer name it is the same as ``*``.
    """
    path = Path(*(part if part == "**" else re.sub(r"\*{2,}", "*", part) for part in Path(pattern).parts))
    matches = Path(path.anchor).glob(str(path.relative_to(path.anchor)))  # which takes no absolute pattern
    return sorted(match for match in matches if not _is_hidden_match(match, path))


def _is_hidden_match(match: Path, pattern: Path) -> bool:
    names = zip(match.parts, pattern.parts, strict=False)
    return any(name.startswith(".") and not wanted.startswith(".") for name, wanted in names)


def _of_glob(path: Path) -> tuple[list[Path], Counter[str]]:
    """The images that match; with ``**`` they are looked up by the one walk, so that links do not loop."""
    parts = path.parts
    if "**" in parts:
        start = parts.index("**")
        walks = [walk(base) for base in _folders(Path(*parts[:start]))]
        skipped = sum((Counter(each.skipped) for each in walks), Counter[str]())
        return sorted({file for each in walks for file in _matching(each, parts[start:])}), skipped
    files: list[Path] = []
    skipped = Counter[str]()
    for match in glob_files(str(path)):
        if match.is_dir():
            walked = walk(match)
            files += walked.images
            skipped.update(walked.skipped)
        elif reason := why_skipped(match.name):
            skipped[reason] += 1
        else:
            files.append(match)
    return files, skipped


def _folders(base: Path) -> list[Path]:
    return [base] if base.is_dir() else [each for each in glob_files(str(base)) if each.is_dir()]


def _matching(walked: Walk, patterns: Sequence[str]) -> list[Path]:
    return [file for file in walked.images if _matches(file.relative_to(walked.root).parts, patterns)]


def _matches(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether the names of a path match the patterns one by one; ``**`` matches any number of folders."""
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_matches(parts[start:], patterns[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])
