"""``verydeep data relabel``: applies the labels that a person corrected in a list of doubtful ones."""

import shlex
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.data.relabel import Relabeling, apply_relabeling, changes_text, plan_relabeling
from verydeep.terminal.console import out, print_json, print_message
from verydeep.terminal.image_argument import Location

CHANGES_SHOWN = 20


def relabel(
    csv: Annotated[Path, Parameter(name="CSV")],
    photos: Annotated[Location | None, Parameter(name="PHOTOS", show_default=False)] = None,
    /,
    *,
    apply: Annotated[bool, Parameter(negative="")] = False,
    add_classes: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Give images the labels in the column new_label of CSV: shows what would change, and changes it with
    --apply.

    Images of a folder are moved to other class folders, a CSV list is rewritten. No file is lost or
    overwritten, and a file that undoes it is written beside CSV.

    Parameters
    ----------
    csv
        The doubtful-labels.csv of `verydeep tune`, `verydeep evaluate` or `verydeep data check`, with labels
        in new_label; or the file that undoes an earlier call.
    photos
        The images: a folder with one folder per class, or a CSV list; by default those that CSV names.
    apply
        Change the labels; without it, they are only shown.
    add_classes
        Allow labels that no image has yet.
    json
        Print one JSON object: data, changes, already, applied, undo.
    """
    relabeling = plan_relabeling(csv, photos, add_classes=add_classes)
    is_applied = apply and bool(relabeling.changes)
    undo = apply_relabeling(relabeling, csv.with_name(f"{csv.stem}-undo.csv")) if is_applied else None
    if json:
        print_json(relabeling.values | {"applied": is_applied, "undo": undo and str(undo)})
    else:
        _print(relabeling, csv, photos, undo)
    return 0


def _print(relabeling: Relabeling, csv: Path, photos: str | None, undo: Path | None) -> None:
    for line in changes_text(relabeling.changes, CHANGES_SHOWN):
        out().print(line, markup=False, soft_wrap=True)
    counts = ", ".join(f"{old} -> {new} {count:,}" for (old, new), count in relabeling.counts.items())
    before = f"; {relabeling.already:,} were applied before" if relabeling.already else ""
    if not relabeling.changes:
        print_message(f"Nothing to change{before}. Fill in the column new_label of {csv}")
    elif undo is None:
        command = ["verydeep", "data", "relabel", str(csv), *([photos] if photos else []), "--apply"]
        print_message(f"{len(relabeling.changes):,} labels would change: {counts}{before}")
        print_message(f"Nothing is changed yet. Change them: {shlex.join(command)}")
    else:
        print_message(f"{len(relabeling.changes):,} labels are changed: {counts}{before}")
        print_message(f"Undo it: {shlex.join(['verydeep', 'data', 'relabel', str(undo), '--apply'])}")
