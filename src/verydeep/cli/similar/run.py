"""The work of ``verydeep similar``, which imports PyTorch."""

from pathlib import Path

from verydeep.embed.similar_images import SimilarImages, find_similar
from verydeep.foreign_text import one_line
from verydeep.machine import Device
from verydeep.report.contact_sheet import check_contact_sheet_path, write_contact_sheet
from verydeep.terminal.broken_images import print_broken
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.image_argument import Location
from verydeep.terminal.progress import ImageProgress
from verydeep.terminal.reading_lines import print_found
from verydeep.train.device import choose_device
from verydeep.weights.load import load


def list_similar(
    run: Path,
    folder: Location,
    image: Path,
    *,
    count: int,
    layer: str | None,
    sheet: Path | None,
    device: Device,
    verify: bool,
    json: bool,
) -> int:
    """Find the images, print the list, and write the contact sheet."""
    if sheet:
        check_contact_sheet_path(sheet)
    checkpoint = load(run, verify=verify)
    checkpoint.model.to(choose_device(device))
    with ImageProgress(err(), "Comparing") as progress:
        result = find_similar(checkpoint, folder, image, count, layer=layer, progress=progress)
    if result.found:
        print_found(result.found)
    if json:
        print_json(result.values)
    else:
        _print(result)
    if sheet:
        write_contact_sheet(result, sheet)
        if not json:
            err().print(f"Contact sheet: {sheet}", markup=False, soft_wrap=True)
    return 1 if result.broken else 0


def _print(result: SimilarImages) -> None:
    print_broken(result.broken)
    for neighbor in result.neighbors:
        out().print(f"{neighbor.similarity:.3f}  {one_line(neighbor.file)}", markup=False, soft_wrap=True)
