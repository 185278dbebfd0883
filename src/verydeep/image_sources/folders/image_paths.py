"""The paths of many image files, which take little more memory than the names of the files.

A ``Path`` takes some 400 bytes, and a data set has millions of them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from verydeep.foreign_text import utf8_text
from verydeep.image_sources.texts import Texts
from verydeep.rows import Rows


class ImagePaths(Rows[Path]):
    """The paths of files, folder by folder: each folder once, and the names of all files in one text.

    Args:
        folders: each folder with the names of files in it, in order.
    """

    def __init__(self, folders: Iterable[tuple[Path, Sequence[str]]]) -> None:
        self._files = files = _Files()
        for folder, names in folders:
            files.add(folder, names)
        indices = np.arange(len(files.names), dtype=np.uint32)
        super().__init__(lambda index: files.folder_of(index) / files.names[index], indices)

    def by_folder(self) -> Iterator[tuple[Path, range]]:
        """Each folder, with the indices of its files."""
        for folder, (start, stop) in zip(self._files.folders, pairwise(self._files.starts), strict=True):
            yield folder, range(start, stop)

    def names_below(self, root: Path) -> Rows[str]:
        """The path of each file below ``root``, with slashes, the same in every locale."""
        files = self._files
        below = {folder: folder.relative_to(root) for folder in files.folders}
        prefixes = {folder: "" if path == Path() else f"{path.as_posix()}/" for folder, path in below.items()}
        return Rows(
            lambda index: utf8_text(prefixes[files.folder_of(index)] + files.names[index]), self._indices
        )


class _Files:
    """The names of files, folder by folder."""

    def __init__(self) -> None:
        self.names = Texts()
        self.folders: list[Path] = []
        self.starts = [0]
        """The index of the first file of each folder, and the number of all files."""

    def add(self, folder: Path, names: Sequence[str]) -> None:
        """Add a folder with the names of files in it."""
        self.folders.append(folder)
        for name in names:
            self.names.append(name)
        self.starts.append(len(self.names))

    def folder_of(self, index: int) -> Path:
        """The folder of the file with this index."""
        return self.folders[bisect_right(self.starts, index) - 1]
