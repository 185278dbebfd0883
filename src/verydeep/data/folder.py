"""A folder of class folders, or of ``train``, ``val`` and ``test`` folders of them, as samples."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from verydeep.data.image_files import IMAGE_SUFFIXES, describe_other_files
from verydeep.data.samples import Part, Samples
from verydeep.errors import DataError

PART_NAMES: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""The usual folder names of the training, validation and test images."""


def read_folder(folder: Path) -> Samples:
    """Every image in ``folder`` and its subfolders, labeled by its class folder; classes are sorted by name.

    Class folders may contain subfolders. Hidden files and files without an image suffix are skipped. A class
    folder without images is a class without images.

    Raises:
        DataError: if the folder does not exist, has no class folders, or none of them has an image.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; expected a folder with one folder of images per class")
    folders = _subfolders(folder)
    parts = {each: PART_NAMES[each.name.lower()] for each in folders if each.name.lower() in PART_NAMES}
    if parts and len(parts) < len(folders):
        others = ", ".join(each.name for each in folders if each not in parts)
        raise DataError(
            f"{folder} mixes {', '.join(each.name for each in parts)} with {others}. Expected one folder per "
            "class, or train, val and test with one folder per class in each"
        )
    class_folders: list[tuple[Part | None, Path]] = [
        (part, each) for part_folder, part in parts.items() for each in _subfolders(part_folder)
    ]
    return _samples(folder, class_folders or [(None, each) for each in folders])


def _subfolders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def _samples(folder: Path, class_folders: list[tuple[Part | None, Path]]) -> Samples:
    classes = tuple(sorted({each.name for _, each in class_folders}))
    images = [(part, each.name, file) for part, each in class_folders for file in images_below(each)]
    if not images:
        raise DataError(
            f"{folder} has no images in class folders; expected {folder.name}/<class>/<image>, "
            f"with a suffix such as {', '.join(sorted(IMAGE_SUFFIXES))}{describe_other_files(folder)}"
        )
    return Samples(
        name=folder.resolve().name,
        sources=tuple(file for *_, file in images),
        names=tuple(file.relative_to(folder).as_posix() for *_, file in images),
        labels=torch.tensor([classes.index(label) for _, label, _ in images]),
        classes=classes,
        parts=tuple(part for part, *_ in images),
    )


def images_below(folder: Path) -> Iterator[Path]:
    """The image files in ``folder`` and its subfolders, sorted, without hidden ones."""
    for parent, subfolders, files in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(parent, name)
