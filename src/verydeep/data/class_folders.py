"""The names of folders that hold the images of one class each."""

from collections.abc import Sequence
from itertools import chain, count

from verydeep.errors import DataError
from verydeep.file_name import file_name, same_name


def class_folders(classes: Sequence[str]) -> dict[str, str]:
    """The folder name of each class: the same, except for what file systems refuse.

    The folders may be read back as classes, so that no class gets the name of another.

    Raises:
        DataError: if two classes would have the same folder, also on a system that ignores case.
    """
    names = {name: file_name(name, "class") for name in classes}
    owners: dict[str, str] = {}
    for name, folder in names.items():
        other = owners.setdefault(same_name(folder), name)
        if other != name:
            raise DataError(f"the classes {other!r} and {name!r} would have the same folder {folder!r}")
    return names


def numbered_class_folders(classes: Sequence[str]) -> dict[str, str]:
    """The folder name of each class as ``class_folders``, for any classes.

    Of classes that would have the same folder, the first one has it, and the others have the next free names:
    ``Cardigan`` and ``cardigan-2``.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(classes):
        folder = file_name(name, "class")
        numbered = (f"{folder}-{number}" for number in count(2))
        names[name] = next(each for each in chain([folder], numbered) if same_name(each) not in taken)
        taken.add(same_name(names[name]))
    return names
