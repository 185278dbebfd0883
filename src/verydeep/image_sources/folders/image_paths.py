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
        self._folders: list[Path] = []
        self._starts = [0]
        """The index of the first file of each folder, and the number of all files."""
        self._names = Texts()
        for folder, names in folders:
            self._folders.append(folder)
            for name in names:
                self._names.append(name)
            self._starts.append(len(self._names))
        super().__init__(
            lambda index: self._folder(index) / self._names[index],
            np.arange(len(self._names), dtype=np.uint32),
        )

    def by_folder(self) -> Iterator[tuple[Path, range]]:
        """Each folder, with the indices of its files."""
        for folder, (start, stop) in zip(self._folders, pairwise(self._starts), strict=True):
            yield folder, range(start, stop)

    def names_below(self, root: Path) -> Rows[str]:
        """The path of each file below ``root``, with slashes, the same in every locale."""
        below = {folder: folder.relative_to(root) for folder in self._folders}
        prefixes = {folder: "" if path == Path() else f"{path.as_posix()}/" for folder, path in below.items()}
        return Rows(
            lambda index: utf8_text(prefixes[self._folder(index)] + self._names[index]), self._indices
        )

    def _folder(self, index: int) -> Path:
        return self._folders[bisect_right(self._starts, index) - 1]
