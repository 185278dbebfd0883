"""``verydeep data pack``: your own images decoded and resized once, in one file that training reads."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from verydeep.check.check import check_unreadable
from verydeep.check.finding import counted
from verydeep.check.grouping import read_grouped
from verydeep.errors import DataError
from verydeep.inputs.write_pack import write_pack
from verydeep.packs.layout import SUFFIX
from verydeep.terminal.console import err, out, print_json, print_message
from verydeep.terminal.image_argument import Location
from verydeep.terminal.output_path import require_writable_file
from verydeep.terminal.progress import ImageProgress
from verydeep.terminal.reading_lines import print_reading


def pack(
    images: Annotated[Location, Parameter(name="IMAGES")],
    /,
    *,
    out_: Annotated[Path, Parameter(name="--out")],
    size: int = 256,
    group_by: str | None = None,
    workers: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Decode and resize IMAGES once, into one file that is read like a folder, in less time.

    Parameters
    ----------
    images
        A folder of class folders, a list, shards, or a Hugging Face data set.
    out_
        The file to write, with the suffix .pack.
    size
        The short side in px to which larger images are resized; the aspect ratio is kept.
    group_by
        What keeps images together in a split: a pattern for their names, a column, or duplicates. The pack
        keeps the groups, and not the other columns of a list.
    workers
        Threads that decode large files; the number of processors by default.
    json
        Print one JSON object: path, images, bytes, classes, size, unreadable, skipped.
    """
    if out_.suffix.lower() != SUFFIX:
        raise DataError(f"{out_} has not the suffix of a pack; give a name such as {out_.stem}{SUFFIX}")
    require_writable_file(out_)
    samples = read_grouped(images, group_by)
    print_reading(samples.reading, len(samples), len(samples.classes))
    with ImageProgress(err(), "Packing") as progress:
        packed = write_pack(samples, out_, size, location=images, workers=workers, progress=progress)
    if note := check_unreadable(len(samples), packed.unreadable, images):
        print_message(note)
    if json:
        unreadable = [each.values for each in packed.unreadable]
        skipped = dict(samples.reading.skipped)
        print_json(vars(packed) | {"path": str(packed.path), "unreadable": unreadable, "skipped": skipped})
    else:
        out().print(
            f"{counted(packed.images, 'image')}, {packed.bytes / 1e6:,.1f} MB: {out_}",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    return 0
