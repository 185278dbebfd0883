"""The names of folders that hold the images of one class each."""

from collections.abc import Sequence

from verydeep.errors import DataError
from verydeep.file_name import file_name, same_name


def class_folders(classes: Sequence[str]) -> dict[str, str]:
    """The folder name of each class: the same, except for what file systems refuse.

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
