"""Refuses to replace a list of doubtful labels that a person has corrected, before a new one is computed."""

import shlex
from pathlib import Path

from verydeep.data.label_file import labels_file, read_label_file
from verydeep.data.relabel import plan_relabeling
from verydeep.errors import DataError


def require_no_corrections(page: Path) -> None:
    """Check that the list beside ``page`` has no corrected labels that are not applied to the images yet.

    Raises:
        DataError: where it has some, or where it is no such list.
    """
    file = labels_file(page)
    if not file.is_file() or not any(row.new_label for row in read_label_file(file)[0]):
        return
    if not _are_applied(file):
        command = shlex.join(["verydeep", "data", "relabel", str(file), "--apply"])
        raise DataError(
            f"{file} has corrected labels that are not applied, and would be overwritten. Apply them by "
            f"`{command}`, or give another --out"
        )


def _are_applied(file: Path) -> bool:
    try:
        return not plan_relabeling(file, add_classes=True).changes
    except DataError:  # they do not fit the images, or the images cannot be relabeled
        return False
