"""``verydeep embed``: feature extraction, one vector per image, into a file."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.cli.load_network import load_network
from verydeep.embed.embed_exported import embed_exported
from verydeep.embed.vector_batches import BATCH_SIZE
from verydeep.embed.vector_file import check_vector_path
from verydeep.image_sources.find_images import find_images
from verydeep.machine import Device
from verydeep.runtime.exported_network import ExportedNetwork
from verydeep.runtime.extras import RuntimeFlag
from verydeep.terminal.broken_images import print_broken
from verydeep.terminal.checksum_flag import NoVerify
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.image_argument import IMAGES_HELP, Location
from verydeep.terminal.output_path import require_writable_file
from verydeep.terminal.progress import ImageProgress
from verydeep.terminal.reading_lines import print_found


def embed(
    run: Annotated[Path, Parameter(name="RUN")],
    images: Annotated[list[Location], Parameter(name="IMAGE", help=IMAGES_HELP)],
    /,
    *,
    layer: str | None = None,
    out_: Annotated[Path, Parameter(name="--out")] = Path("vectors.npz"),
    unit_length: Annotated[bool, Parameter(negative="")] = False,
    device: Device = "auto",
    runtime: RuntimeFlag | None = None,
    no_verify: NoVerify = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Extract features: write one vector (embedding) per IMAGE, the values of a layer of the network of RUN.

    Broken images are reported and left out; the exit code is then 1.

    Parameters
    ----------
    run
        A run folder, a checkpoint, a weight file with or without a head, or an exported network.
    images
        The images.
    layer
        Such as pool5, relu3_3 or fc7; the last feature map by default. Maps are averaged over positions.
    out_
        The file to write: .npz (numpy reads it without pickle) or .parquet.
    unit_length
        L2-normalize each vector.
    device
        Where to compute; auto uses a GPU if there is one.
    runtime
        What computes an exported network; by default the usual one for its format. auto is the fastest one
        on this machine, which is timed once.
    no_verify
        Leave out the comparison with the checksum.
    json
        Print one JSON object: out, vectors, dimensions, layer, broken, skipped.
    """
    check_vector_path(out_)
    require_writable_file(out_)
    found = find_images(images)
    print_found(found)
    network = load_network(
        run,
        device,
        runtime,
        batch=min(BATCH_SIZE, len(found.sources)),
        verify=not no_verify,
        needs_head=False,
    )
    with ImageProgress(err(), "Embedding") as progress:
        if isinstance(network, ExportedNetwork):
            summary = embed_exported(
                network, found.sources, out_, layer=layer, unit_length=unit_length, progress=progress
            )
        else:
            from verydeep.embed.embed_images import embed_images  # torch, which a bundle does without

            summary = embed_images(
                network, found.sources, out_, layer=layer, unit_length=unit_length, progress=progress
            )
    if json:
        print_json(summary.values | {"skipped": dict(found.reading.skipped)})
    else:
        print_broken(summary.broken)
        text = f"{summary.vectors:,} vectors of {summary.dimensions:,} values from {summary.layer}"
        out().print(f"{summary.out}: {text}", markup=False, soft_wrap=True)
    return 1 if summary.broken else 0
