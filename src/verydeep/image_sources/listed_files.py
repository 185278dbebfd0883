"""Finds the files that a list names: as written, or as Windows, macOS or Kaggle write them."""

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from verydeep.errors import DataError
from verydeep.image_sources.folders.walk import walk
from verydeep.image_sources.part_names import part_mentioned
from verydeep.rows import Rows, computed
from verydeep.user_path import user_path


def find_listed(path: Path, names: Sequence[str]) -> tuple[Rows[Path], tuple[str, ...]]:
    """The file of each name in the list at ``path``, and notes on how they were found.

    A name is a path relative to the folder of the list, or absolute; also with backslashes, or in another
    Unicode form. If most files are not there, the folder of the list is searched for a file whose path ends
    so, with or without a suffix: ``ISIC_0024306`` is ``images/ISIC_0024306.jpg``. A file that is not found
    stays as it is written, and is reported when it is read.

    Raises:
        DataError: if none is found, or two files fit one name.
    """
    folder, elsewhere, missing = path.parent, dict[int, Path](), array("Q")
    for index, name in enumerate(names):
        file = _as_written(folder, name)
        if file is None:
            missing.append(index)
        elif file != _plain(folder, name):
            elsewhere[index] = file
    is_any_found, notes = len(missing) < len(names), tuple[str, ...]()
    if 2 * len(missing) > len(names) and not _is_too_large(folder):
        beside = _ImagesBeside(path)
        searched = {index: file for index in missing if (file := beside.find(names[index]))}
        notes = _found_in(path, {file.parent for file in searched.values()})
        elsewhere |= searched
    if not is_any_found and not elsewhere:
        raise DataError(
            f"{path}: none of its first {min(10, len(names))} files exists, such as "
            f"{folder / names[0]}. File paths are relative to the folder of the list, or absolute"
        )
    return computed(lambda index: elsewhere.get(index) or _plain(folder, names[index]), len(names)), notes


def _plain(folder: Path, name: str) -> Path:
    return folder / user_path(name)


def _as_written(folder: Path, name: str) -> Path | None:
    files = (_plain(folder, each) for each in _spellings(name))
    return next((file for file in files if file.is_file()), None)


def _spellings(name: str) -> Iterator[str]:
    yield name
    if "\\" in name:
        name = name.replace("\\", "/")
        yield name
    if not name.isascii():
        yield normalize("NFC", name)
        yield normalize("NFD", name)


def _is_too_large(folder: Path) -> bool:
    """Whether a search through the folder could take very long."""
    real = folder.resolve()
    return real in (Path.home(), real.parent)


def _found_in(path: Path, folders: set[Path]) -> tuple[str, ...]:
    here = sorted(map(str, folders))
    more = f" and {len(here) - 3:,} more folders" if len(here) > 3 else ""
    return (f"the files of {path.name} were found in {', '.join(here[:3])}{more}",) if here else ()


class _ImagesBeside:
    """The images in the folder of a list, by name and by name without suffix."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.by_name: dict[str, list[Path]] = defaultdict(list)
        for image in walk(path.parent).images:
            name = normalize("NFC", image.name)
            for key in {name, PurePosixPath(name).stem}:
                self.by_name[key].append(image)

    def find(self, name: str) -> Path | None:
        """The image whose path ends with ``name``; of several, that in the part that the list is named after.

        Raises:
            DataError: if several fit.
        """
        parts = PurePosixPath(normalize("NFC", name.replace("\\", "/"))).parts
        wanted = [part for part in parts if part not in ("/", "..") and not part.endswith(":")]
        if not wanted:
            return None
        # The folders of a path of another machine are not here: only the last of them counts.
        folders = wanted[:-1] if len(wanted) == len(parts) else wanted[-2:-1]
        candidates = self.by_name.get(wanted[-1], [])
        images = [image for image in candidates if _is_in(image, folders)]
        part = part_mentioned(self.path.stem)
        if len(images) > 1 and part is not None:
            images = [image for image in images if self._part(image) == part]
        if len(images) > 1:
            raise DataError(
                f"{self.path}: {name} may be {images[0]} or {images[1]}; write paths relative to the folder "
                "of the list"
            )
        return images[0] if images else None

    def _part(self, image: Path) -> str | None:
        return part_mentioned(str(image.parent.relative_to(self.path.parent)))


def _is_in(image: Path, folders: Sequence[str]) -> bool:
    """Whether the path of the folder of ``image`` ends with ``folders``."""
    if not folders:
        return True
    own = [normalize("NFC", part) for part in image.parent.absolute().parts]
    return own[-len(folders) :] == list(folders)
