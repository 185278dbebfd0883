"""A folder with its subfolders and their images, as a tree."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from verydeep.image_sources.folders.walk import Walk
from verydeep.image_sources.part_names import part_named


@dataclass
class Folder:
    """A folder; empty ones are part of the tree."""

    path: Path
    images: range = range(0)
    """Directly in it: indices into the images of the walk."""
    folders: dict[str, "Folder"] = field(default_factory=dict)
    total: int = 0
    """Images in it and in all its subfolders."""

    @property
    def name(self) -> str:
        """In composed form (NFC): macOS stores the same name decomposed."""
        return normalize("NFC", self.path.name)

    def filled(self) -> list["Folder"]:
        """The folders in it that have images, at any depth."""
        return [each for each in self.folders.values() if each.has_images()]

    def has_images(self) -> bool:
        """At any depth."""
        return self.total > 0

    def all_images(self) -> Iterator[range]:
        """Its images and those of each of its subfolders, in no order."""
        waiting = [self]
        while waiting:
            folder = waiting.pop()
            yield folder.images
            waiting += folder.folders.values()


def folder_tree(walked: Walk) -> Folder:
    """What a walk has found."""
    folders = {walked.root: Folder(walked.root)}

    def folder_at(path: Path) -> Folder:
        if path not in folders:
            folders[path] = folder_at(path.parent).folders[path.name] = Folder(path)
        return folders[path]

    for path in walked.folders:
        folder_at(path)
    for path, images in walked.images.by_folder():
        folder_at(path).images = images
        for each in (path, *path.parents):
            folders[each].total += len(images)
            if each == walked.root:
                break
    return folders[walked.root]


def unwrapped(top: Folder) -> Folder:
    """The folder with the classes or parts, where it stands alone in others: ``photos/photos/cat``."""
    folder = top
    while not folder.images and len(filled := folder.filled()) == 1 and not _has_empty_folder(folder):
        (only,) = filled
        if part_named(only.name) or only.images:
            break
        folder = only
    return folder if len(folder.filled()) > 1 or _is_part(folder) else top


def _is_part(folder: Folder) -> bool:
    """Whether the only folder with images in it is a part."""
    return any(part_named(each.name) for each in folder.filled())


def _has_empty_folder(folder: Folder) -> bool:
    """An empty folder is a class without images; one with other files, such as ``labels/``, is not."""
    return any(not each.has_images() and _is_empty(each.path) for each in folder.folders.values())


def _is_empty(path: Path) -> bool:
    try:
        return not any(path.iterdir())
    except OSError:  # no permission, which the walk has counted
        return False
