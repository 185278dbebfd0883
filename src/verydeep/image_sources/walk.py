"""The one walk through a folder: each image file once, symbolic links followed, everything else counted."""

import os
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from verydeep.image_sources.suffixes import IMAGE_SUFFIXES

_SYSTEM_NAMES = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir"})
"""What macOS, Windows and Synology leave in folders, in lower case; it counts as hidden."""


@dataclass(frozen=True)
class Walk:
    """What is in a folder and its subfolders."""

    root: Path
    images: tuple[Path, ...]
    """Sorted by name, the files of a folder before its subfolders; each file once, also if it is linked."""
    folders: tuple[Path, ...]
    """All subfolders that are not hidden, also empty ones."""
    skipped: Mapping[str, int]
    """How many files were passed over, by reason."""


def walk(root: Path) -> Walk:
    """All images in ``root`` and its subfolders, by their suffix; files are not opened.

    Symbolic links are followed after everything else, so that a file that is also linked is found at its own
    place. A folder is entered once, by its real path, and never if it contains ``root``: loops end.
    """
    walker = _Walker(real_path(root))
    walker.enter(root, walker.real_root)
    walker.follow_links()
    images = sorted(walker.images, key=lambda image: _order(image.relative_to(root).parts))
    return Walk(root, tuple(images), tuple(sorted(walker.folders)), dict(walker.skipped))


def _order(parts: tuple[str, ...]) -> list[tuple[bool, str]]:
    *folders, name = parts
    return [*((True, folder) for folder in folders), (False, name)]


def real_path(path: Path) -> Path:
    """Where ``path`` is without symbolic links; the same for every way to write it."""
    return Path(os.path.realpath(path))


class _Walker:
    def __init__(self, real_root: Path) -> None:
        self.real_root = real_root
        self.images: list[Path] = []
        self.folders: list[Path] = []
        self.skipped: Counter[str] = Counter()
        self.links: deque[Path] = deque()
        self.seen: set[Path] = set()  # real paths of folders and images

    def enter(self, folder: Path, real: Path) -> None:
        """Take the files of ``folder`` and of its subfolders; keep links for later."""
        waiting = [(folder, real)]
        while waiting:
            folder, real = waiting.pop()
            if real in self.seen:
                self.skipped["linked again"] += 1
                continue
            self.seen.add(real)
            for entry in self._entries(folder):
                path, inside = folder / entry.name, real / entry.name
                if is_hidden(entry.name):
                    self.skipped["hidden"] += 1
                elif entry.is_symlink():
                    self.links.append(path)
                elif entry.is_dir():
                    self.folders.append(path)
                    waiting.append((path, inside))
                else:
                    self._take(path, inside, entry.is_file())

    def follow_links(self) -> None:
        """Enter the folders and take the files that links lead to, unless they were found already."""
        while self.links:
            link = self.links.popleft()
            real = real_path(link)
            if not link.exists():
                self.skipped["linked to nothing"] += 1
            elif real in self.seen or real in self.real_root.parents:
                self.skipped["linked again"] += 1
            elif real.is_dir():
                self.folders.append(link)
                self.enter(link, real)
            else:
                self._take(link, real, real.is_file())

    def _entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                yield from entries
        except OSError:
            self.skipped["without permission"] += 1

    def _take(self, path: Path, real: Path, is_file: bool) -> None:
        if (reason := None if is_file else "not a file") or (reason := why_skipped(path)):
            self.skipped[reason] += 1
            return
        self.seen.add(real)
        self.images.append(path)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden or left by the system; it is then no image of the data set."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def why_skipped(path: Path) -> str | None:
    """Why a file is passed over by its suffix, in a word or two; None for an image."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return None
    if not suffix:
        return "without a suffix"
    return suffix if suffix[1:].isalnum() and len(suffix) <= 10 else "of other kinds"
