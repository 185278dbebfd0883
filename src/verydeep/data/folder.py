"""A folder of class folders, or of ``train``, ``val`` and ``test`` folders of them, as samples."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from verydeep.data.decode import IMAGE_SUFFIXES, no_images_but
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
"""What people call the folders of a split."""


def read_folder(folder: Path) -> Samples:
    """Every image below ``folder``, labeled by the name of its class folder; classes are in order.

    Class folders may have folders in them. Hidden files and files without an image suffix are passed over. A
    class folder without images is a class of no images.

    Raises:
        DataError: where there is no such folder, no class folder in it, or no image in any of them.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give one with a folder of images for each class")
    tops = _folders(folder)
    parts = {top: PART_NAMES[top.name.lower()] for top in tops if top.name.lower() in PART_NAMES}
    if parts and len(parts) < len(tops):
        strays = ", ".join(top.name for top in tops if top not in parts)
        raise DataError(
            f"{folder} has {', '.join(top.name for top in parts)} beside {strays}. "
            "Give a folder for each class, or train, val and test with a folder for each class in each"
        )
    places: list[tuple[Part | None, Path]] = [
        (part, each) for top, part in parts.items() for each in _folders(top)
    ]
    return _samples(folder, places or [(None, top) for top in tops])


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def _samples(folder: Path, places: list[tuple[Part | None, Path]]) -> Samples:
    classes = tuple(sorted({place.name for _, place in places}))
    found = [(part, place.name, file) for part, place in places for file in images_below(place)]
    if not found:
        raise DataError(
            f"{folder} has no images in class folders; expected {folder.name}/<class>/<image>, "
            f"with a suffix such as {', '.join(sorted(IMAGE_SUFFIXES))}{no_images_but(folder)}"
        )
    return Samples(
        name=folder.resolve().name,
        sources=tuple(file for *_, file in found),
        names=tuple(file.relative_to(folder).as_posix() for *_, file in found),
        labels=torch.tensor([classes.index(label) for _, label, _ in found]),
        classes=classes,
        parts=tuple(part for part, *_ in found),
    )


def images_below(folder: Path) -> Iterator[Path]:
    """Image files in ``folder`` and the folders in it, in order; hidden ones are not."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(place, name)
