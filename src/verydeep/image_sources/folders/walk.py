"""The one walk through a folder: each image file once, symbolic links followed, everything else counted."""

import os
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from verydeep.image_sources.folders.image_paths import ImagePaths
from verydeep.image_sources.suffixes import IMAGE_SUFFIXES

_SYSTEM_NAMES = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir"})
"""What macOS, Windows and Synology leave in folders, in lower case; it counts as hidden."""
_SEPARATOR = "/"
"""Between names: the character that none of them has."""


@dataclass(frozen=True)
class Walk:
    """What is in a folder and its subfolders."""

    root: Path
    images: ImagePaths
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
    filled = sorted(walker.images, key=lambda folder: folder.parts)  # a folder comes before those in it
    images = ImagePaths((folder, walker.names_in(folder)) for folder in filled)
    return Walk(root, images, tuple(sorted(walker.folders)), dict(walker.skipped))


def real_path(path: Path) -> Path:
    """Where ``path`` is without symbolic links; the same for every way to write it."""
    return Path(os.path.realpath(path))


class _Walker:
    def __init__(self, real_root: Path) -> None:
        self.real_root = real_root
        self.images: dict[Path, list[str]] = defaultdict(list)
        """The images of each folder; names that were found together are one text, which takes less memory."""
        self.folders: list[Path] = []
        self.skipped: Counter[str] = Counter()
        self.links: deque[tuple[Path, str]] = deque()
        """The folder and the name of each."""
        self.entered: set[Path] = set()  # real paths of folders
        self.refused: set[Path] = set()  # those of them whose files cannot be listed
        self.linked: dict[Path, set[str]] = defaultdict(set)
        """The images that were taken where a link leads: their names, by the real path of their folder."""

    def enter(self, folder: Path, real: Path) -> None:
        """Take the files of ``folder`` and of its subfolders; keep links for later."""
        waiting = [(folder, real)]
        while waiting:
            folder, real = waiting.pop()
            if real in self.entered:
                self.skipped["linked again"] += 1
                continue
            self.entered.add(real)
            names = []
            for entry in self._entries(folder, real):
                if is_hidden(entry.name):
                    self.skipped["hidden"] += 1
                elif entry.is_symlink():
                    self.links.append((folder, entry.name))
                elif entry.is_dir():
                    self.folders.append(folder / entry.name)
                    waiting.append((folder / entry.name, real / entry.name))
                elif entry.name in self.linked.get(real, ()):
                    self.skipped["linked again"] += 1
                elif self._is_image(entry.name, entry.is_file()):
                    names.append(entry.name)
            if names:
                self.images[folder].append(_SEPARATOR.join(names))

    def follow_links(self) -> None:
        """Enter the folders and take the files that links lead to, unless they were found already."""
        while self.links:
            folder, name = self.links.popleft()
            try:
                (folder / name).stat()
            except PermissionError:
                self.skipped["without permission"] += 1
            except OSError:  # also of a link to itself, or to a name that is too long
                self.skipped["linked to nothing"] += 1
            else:
                self._follow(folder, name)

    def _follow(self, folder: Path, name: str) -> None:
        link, real = folder / name, real_path(folder / name)
        if self._is_found(real):
            self.skipped["linked again"] += 1
        elif real.is_dir():
            self.folders.append(link)
            self.enter(link, real)
        elif self._is_image(name, real.is_file()):
            self.linked[real.parent].add(real.name)
            self.images[folder].append(name)

    def names_in(self, folder: Path) -> list[str]:
        """The images in ``folder``, sorted; they are then forgotten here."""
        return sorted(_SEPARATOR.join(self.images.pop(folder)).split(_SEPARATOR))

    def _is_found(self, real: Path) -> bool:
        """Whether this folder or file is found already, or contains the whole."""
        if real in self.entered or real in self.real_root.parents:
            return True
        is_listed = real.parent in self.entered and real.parent not in self.refused
        is_taken = is_listed and not is_hidden(real.name) and not why_skipped(real.name)
        return (is_taken and real.is_file()) or real.name in self.linked.get(real.parent, ())

    def _entries(self, folder: Path, real: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                yield from entries
        except OSError:
            self.skipped["without permission"] += 1
            self.refused.add(real)

    def _is_image(self, name: str, is_file: bool) -> bool:
        """Whether it is taken; otherwise it is counted by the reason."""
        reason = why_skipped(name) if is_file else "not a file"
        if reason:
            self.skipped[reason] += 1
        return reason is None


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden or left by the system; it is then no image of the data set."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def why_skipped(name: str) -> str | None:
    """Why a file is passed over by its suffix, in a word or two; None for an image."""
    suffix = PurePath(name).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return None
    if not suffix:
        return "without a suffix"
    return suffix if suffix[1:].isalnum() and len(suffix) <= 10 else "of other kinds"
