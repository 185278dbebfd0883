"""``verydeep similar``: the images most similar to a query image, as a list and as a contact sheet."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.cli.load_network import refuse_exported
from verydeep.errors import DataError
from verydeep.machine import Device
from verydeep.quick_imports import quick_imports
from verydeep.terminal.checksum_flag import NoVerify
from verydeep.terminal.image_argument import IMAGES_HELP, Location
from verydeep.terminal.output_path import require_writable_file

FOLDER_HELP = f"{IMAGES_HELP} Or a file that `verydeep embed` wrote, so that only IMAGE is computed."


def similar(
    run: Annotated[Path, Parameter(name="RUN")],
    folder: Annotated[Location, Parameter(name="FOLDER", help=FOLDER_HELP)],
    image: Annotated[Path, Parameter(name="IMAGE")],
    /,
    *,
    count: int = 12,
    layer: str | None = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    device: Device = "auto",
    no_verify: NoVerify = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """List the images in FOLDER most similar to IMAGE: by cosine similarity of features of the network of
    RUN.

    Broken images are reported and left out; the exit code is then 1.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a weight file, with or without a head.
    folder
        The images.
    image
        The query image; if it is in FOLDER, it is left out.
    count
        The number of images to list.
    layer
        Such as pool5 or relu4_3; by default the last feature map, or the layer of the stored vectors.
    out_
        A contact sheet to write: a .png picture, or a .html page in one file.
    device
        Where to compute; auto uses a GPU if there is one.
    no_verify
        Leave out the comparison with the checksum.
    json
        Print one JSON object: image, layer, neighbors, broken, skipped.
    """
    if count < 1:
        raise DataError(f"--count is {count}; expected 1 or more")
    if out_:
        require_writable_file(out_)
    refuse_exported(run)
    with quick_imports():  # imports torch: arguments are checked before
        from verydeep.cli.similar.run import list_similar

    return list_similar(
        run,
        folder,
        image,
        count=count,
        layer=layer,
        sheet=out_,
        device=device,
        verify=not no_verify,
        json=json,
    )
