"""Understands how a folder of labeled images is laid out: which folders are classes, and which are parts.

The usual layouts are ``cat/1.jpg``; ``train/cat/1.jpg`` beside ``val`` and ``test``, under all their usual
names; ``cat/train/1.jpg``; each of them inside further folders. A part without class folders is unlabeled.
Runs of verydeep among the images are passed over.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from verydeep.errors import DataError
from verydeep.image_sources.folders.folder_tree import Folder, folder_tree, unwrapped
from verydeep.image_sources.folders.run_folders import remove_runs
from verydeep.image_sources.folders.walk import Walk
from verydeep.image_sources.part_names import Part, part_mentioned, part_named
from verydeep.image_sources.reading import Reading


@dataclass(frozen=True)
class LabeledImages:
    """Images of one folder, with what this folder and those around it say about them."""

    images: range
    """Indices into the images of the walk."""
    label: str
    part: Part | None


@dataclass(frozen=True)
class Layout:
    """The labeled images of a folder."""

    labeled: tuple[LabeledImages, ...]
    """In the order of the walk."""
    classes: tuple[str, ...]
    """Sorted; also those of empty class folders."""
    reading: Reading


@dataclass
class _Reader:
    """Collects the labeled images, and what is passed over."""

    labeled: list[LabeledImages] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def take_classes(self, folder: Folder, part: Part | None) -> None:
        """Every folder in ``folder`` is a class."""
        for each in folder.folders.values():
            self.take_class(each, each.name, part)
        self.skip("beside the class folders", len(folder.images))

    def take_class(self, folder: Folder, label: str, part: Part | None) -> None:
        """Every image in ``folder`` is of one class."""
        self.classes.add(label)
        self.labeled += [LabeledImages(images, label, part) for images in folder.all_images() if images]

    def skip(self, reason: str, count: int) -> None:
        if count:
            self.skipped[reason] += count


def find_layout(walked: Walk) -> Layout:
    """The classes and parts of the images in a folder.

    Raises:
        DataError: if the folders can be understood in two ways, or none; states what to do.
    """
    top = folder_tree(walked)
    reader = _Reader()
    reader.skip("in runs of verydeep", remove_runs(top))
    root = unwrapped(top)
    if root is not top:
        reader.notes.append(f"the classes are in {root.path}")
    _read(root, reader)
    labeled = tuple(sorted(reader.labeled, key=lambda each: each.images.start))
    skipped = Counter(walked.skipped) + reader.skipped
    return Layout(labeled, tuple(sorted(reader.classes)), Reading(dict(skipped), tuple(reader.notes)))


def _read(root: Folder, reader: _Reader) -> None:
    parts = _part_folders(root)
    if parts:
        _read_parts(root, parts, reader)
    elif _is_class_first(root):
        for folder in root.folders.values():
            reader.classes.add(folder.name)
            for inner in folder.folders.values():
                reader.take_class(inner, folder.name, part_named(inner.name))
        reader.skip("beside the class folders", len(root.images))
    else:
        _require_different_subfolders(root)
        reader.take_classes(root, None)


def _part_folders(root: Folder) -> dict[str, Part]:
    """The folders that are parts, by their names; empty if the folders are classes.

    Raises:
        DataError: if some are parts and others are not, or no part has class folders.
    """
    filled = root.filled()
    parts = {each.name: part for each in filled if (part := part_named(each.name))}
    if not parts:
        mentioned = {each.name: part for each in filled if (part := part_mentioned(each.name))}
        flat = [each.name for each in filled if each.name not in mentioned and _is_unlabeled(each, set())]
        is_split = {"train", "test"} <= set(mentioned.values()) or {"train", "val"} <= set(mentioned.values())
        if not is_split or len(mentioned) + len(flat) < len(filled):
            return {}
        parts = {**mentioned, **dict.fromkeys(flat, "test")}
    others = [each.name for each in filled if each.name not in parts]
    if not any(each.filled() for each in filled if each.name in parts):
        if others:  # `train` is a vehicle, beside `bus` and `car`
            return {}
        raise _no_class_folders(root, list(parts))
    if others:
        raise DataError(
            f"{root.path} mixes {', '.join(parts)} with {', '.join(others)}. Expected one folder per class, "
            "or train, val and test with one folder per class in each"
        )
    return parts


def _no_class_folders(root: Folder, parts: list[str]) -> DataError:
    lists = sorted(each for suffix in ("csv", "tsv") for each in root.path.glob(f"*.{suffix}"))
    if lists:
        names = ", ".join(each.name for each in lists[:3])
        advice = f"give a list with their labels; {names} may be one: {lists[0]}"
    else:
        advice = "give a list with a label for each image (.csv)"
    return DataError(
        f"{', '.join(parts)} in {root.path} have images but no class folders. Expected "
        f"{parts[0]}/<class>/<image>, or {advice}"
    )


def _read_parts(root: Folder, parts: dict[str, Part], reader: _Reader) -> None:
    """The class folders of each part; a part other than train may be unlabeled."""
    folders = [each for each in root.folders.values() if each.name in parts]
    inside = {each.name: unwrapped(each) for each in folders}
    known = {
        each.name for name, folder in inside.items() if parts[name] == "train" for each in folder.filled()
    }
    for folder in folders:
        if parts[folder.name] == "train" and not folder.filled():
            raise _no_class_folders(root, [folder.name])
        if parts[folder.name] != "train" and _is_unlabeled(folder, known):
            count = folder.total
            reader.skip(f"unlabeled in {folder.name}", count)
            reader.notes.append(
                f"{folder.path} has no class folders, so its {count:,} images have no labels and are not "
                f"used; classify them afterwards: verydeep predict RUN {folder.path}"
            )
        else:
            reader.take_classes(inside[folder.name], parts[folder.name])
    for each in root.folders.values():
        if part_named(each.name) and each.name not in parts:
            reader.notes.append(f"{each.path} has no images")
    reader.skip("beside the class folders", len(root.images))


def _is_unlabeled(folder: Folder, known: set[str]) -> bool:
    """Whether a part has its images in no folder, or in a single one that is no class of training."""
    filled = folder.filled()
    if not filled:
        return True
    return len(filled) == 1 and not filled[0].filled() and filled[0].name not in known and len(known) != 1


def _is_class_first(root: Folder) -> bool:
    """Whether every class folder has its own train and test folders."""
    filled = root.filled()
    parts = {part_named(inner.name) for each in filled for inner in each.filled()}
    return bool(parts) and None not in parts and not any(each.images for each in filled)


def _require_different_subfolders(root: Folder) -> None:
    """Refuse folders that hold the same class folders: they are parts of a split under unusual names."""
    filled = root.filled()
    names = [{each.name for each in folder.filled()} for folder in filled]
    if len(filled) < 2 or any(folder.images for folder in filled):
        return
    largest = max(names, key=len)
    if all(len(each) > 1 and each <= largest for each in names) and not all(map(_is_numbered, largest)):
        shown = ", ".join(sorted(largest)[:5]) + (", ..." if len(largest) > 5 else "")
        raise DataError(
            f"{', '.join(folder.name for folder in filled)} in {root.path} hold the same folders ({shown}). "
            "If they are parts of a split, name them train, val and test; if they are classes, give a list "
            "with a label for each image (.csv)"
        )


def _is_numbered(name: str) -> bool:
    """Whether a name looks like ``patient_7`` or ``2019``, which divides the images of a class."""
    return bool(re.search("[0-9]", name)) and not re.fullmatch("[0-9]{1,3}", name)
