"""``verydeep embed``: image files as vectors in a file."""

from math import ceil
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.progress import track

from verydeep.data.image_files import image_files
from verydeep.embed.embedder import BATCH_SIZE, Embedder
from verydeep.embed.vector_file import About, check_out, write_vectors
from verydeep.terminal.console import err, out, print_json
from verydeep.train.device import Device, choose_device
from verydeep.weights.load import load


def embed(
    run: Annotated[Path, Parameter(name="RUN")],
    images: Annotated[list[str], Parameter(name="FOLDER")],
    /,
    *,
    layer: str | None = None,
    out_: Annotated[Path, Parameter(name="--out")] = Path("vectors.npz"),
    unit_length: Annotated[bool, Parameter(negative="")] = False,
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write what a layer of the network of RUN says of each image in FOLDER, as a vector.

    A broken file is reported, and the rest goes on; the exit code is then 1.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a file of features only.
    images
        Folders with all below, files, or globs.
    layer
        Such as pool5, relu3_3 or fc7; the last map by default. Maps are averaged over their places.
    out_
        The file to write: .npz (read by numpy without pickle) or .parquet.
    unit_length
        Divide each vector by its length.
    device
        Where to compute; auto takes a GPU where there is one.
    json
        Print one JSON object: out, vectors, dimensions, layer, broken.
    """
    check_out(out_)
    files = image_files(images)
    network = load(run)
    network.model.to(choose_device(device))
    embedder = Embedder(network, layer, unit_length=unit_length)
    about = About(network=network.model.architecture.name, layer=embedder.layer, unit_length=unit_length)
    batches = track(
        embedder(files), "Embedding", ceil(len(files) / BATCH_SIZE), console=err(), transient=True
    )
    written = write_vectors(batches, about, out_)
    if json:
        print_json(
            {
                "out": str(written.out),
                "vectors": written.vectors,
                "dimensions": written.dimensions,
                "layer": embedder.layer,
                "broken": [image.values for image in written.broken],
            }
        )
    else:
        for image in written.broken:
            err().print(image.reason, markup=False, soft_wrap=True)
        said = f"{written.vectors:,} vectors of {written.dimensions:,} values from {embedder.layer}"
        out().print(f"{written.out}: {said}", markup=False, soft_wrap=True)
    return 1 if written.broken else 0
