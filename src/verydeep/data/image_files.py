"""Finds image files in folders and globs, by their suffix."""

import glob
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from verydeep.errors import DataError

IMAGE_SUFFIXES = frozenset(
    {
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".jpeg",
        ".jpg",
        ".pgm",
        ".png",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    }
)
"""The suffixes of image files in folders, in lower or upper case."""


def image_files(paths: Iterable[str | Path]) -> list[Path]:
    """The image files at ``paths``, each once, in order: files, folders with their subfolders, and globs.

    A file is included whatever its suffix is. Folders and globs include only files with an image suffix, and
    no hidden files.

    Raises:
        DataError: if a path does not exist, or a folder or glob has no images.
    """
    return list(dict.fromkeys(file for path in paths for file in _files_of(Path(path).expanduser())))


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir() and not glob.has_magic(str(path)):
        raise DataError(f"{path} does not exist; expected files, folders, or globs such as 'photos/*.jpg'")
    pattern = str(Path(glob.escape(str(path))) / "**" / "*") if path.is_dir() else str(path)
    images = list(filter(_is_visible_image, glob_files(pattern)))
    if not images:
        expected = ", ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(f"{path} has no images; expected {expected}{describe_other_files(path)}")
    return images


def glob_files(pattern: str) -> list[Path]:
    """The paths that match ``pattern``, sorted; ``**`` matches any number of folders."""
    # Not `Path.glob`, which does not accept an absolute pattern.
    return sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207


def describe_other_files(folder: Path) -> str:
    """The files of a folder without images, for an error message; empty if it has images or no files."""
    files = (each for each in folder.rglob("[!.]*.*") if each.is_file())
    suffixes = Counter(each.suffix.lower() for each in files)
    if not suffixes or suffixes.keys() & IMAGE_SUFFIXES:  # images in the wrong folder
        return ""
    counts = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common(3))
    return f". There are {counts}. Save images as one of these"


def _is_visible_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
