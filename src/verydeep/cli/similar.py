"""``verydeep similar``: the images most like one, as a list and as a contact sheet."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.progress import track

from verydeep.data.image_files import image_files
from verydeep.data.samples import UnreadableImage
from verydeep.embed.embedder import BATCH_SIZE, Embedder, VectorBatch
from verydeep.embed.neighbors import Neighbor, nearest
from verydeep.embed.vector_file import read_vectors
from verydeep.errors import DataError
from verydeep.models.checkpoint import Checkpoint
from verydeep.report.contact_sheet import ContactSheet, check_sheet, write_sheet
from verydeep.terminal.console import err, out, print_json
from verydeep.train.device import Device, choose_device
from verydeep.weights.load import load

STORED = frozenset({".npz", ".parquet"})
"""Suffixes of what ``verydeep embed`` writes."""


def similar(
    run: Annotated[Path, Parameter(name="RUN")],
    folder: Annotated[Path, Parameter(name="FOLDER")],
    image: Annotated[Path, Parameter(name="IMAGE")],
    /,
    *,
    count: int = 12,
    layer: str | None = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """List the images in FOLDER that the network of RUN takes for most like IMAGE, by cosine similarity.

    A broken file is reported, and the rest goes on; the exit code is then 1.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a file of features only.
    folder
        A folder of images with all below, or the file that `verydeep embed` wrote for it: found at once.
    image
        The image to compare; it is left out where it lies in FOLDER.
    count
        How many to show.
    layer
        Such as pool5 or relu4_3; the last map by default, or that of the file of vectors.
    out_
        A contact sheet to draw: .png, or .html as one page that opens anywhere.
    device
        Where to compute; auto takes a GPU where there is one.
    json
        Print one JSON object: image, layer, neighbors, broken.
    """
    if count < 1:
        raise DataError(f"--count is {count}; ask for one image at least")
    if out_:
        check_sheet(out_)
    network = load(run)
    network.model.to(choose_device(device))
    stored = folder.suffix in STORED and not folder.is_dir()
    embedder, batches = (_stored if stored else _computed)(network, folder, layer)
    (asked,) = embedder([image])
    if asked.broken:
        raise DataError(asked.broken[0].reason)
    broken: list[UnreadableImage] = []
    found = nearest(asked.vectors[0], _noting(batches, broken), count, leave_out=image)
    if out_:
        method = f"{network.model.architecture.name}, {embedder.layer}, cosine similarity"
        write_sheet(ContactSheet(image, found, method), out_)
    if json:
        print_json(_values(image, embedder.layer, found, broken))
    else:
        _say(found, broken, out_)
    return 1 if broken else 0


def _computed(network: Checkpoint, folder: Path, layer: str | None) -> tuple[Embedder, Iterator[VectorBatch]]:
    embedder = Embedder(network, layer)
    files = image_files([folder])
    count = ceil(len(files) / BATCH_SIZE)
    return embedder, iter(track(embedder(files), "Looking", count, console=err(), transient=True))


def _stored(network: Checkpoint, file: Path, layer: str | None) -> tuple[Embedder, Iterator[VectorBatch]]:
    held = read_vectors(file)
    name = network.model.architecture.name
    if name != held.about.network or layer not in (None, held.about.layer):
        raise DataError(
            f"{file} holds vectors of {held.about.network}, {held.about.layer}; asked for were {name}, "
            f"{layer or held.about.layer}. Write them again by `verydeep embed`"
        )
    return Embedder(network, held.about.layer), iter((VectorBatch(held.files, held.vectors),))


def _noting(batches: Iterator[VectorBatch], broken: list[UnreadableImage]) -> Iterator[VectorBatch]:
    for batch in batches:
        broken += batch.broken
        yield batch


def _values(
    image: Path, layer: str, found: tuple[Neighbor, ...], broken: list[UnreadableImage]
) -> dict[str, Any]:
    return {
        "image": str(image),
        "layer": layer,
        "neighbors": [{"file": str(one.file), "similarity": one.similarity} for one in found],
        "broken": [unreadable.values for unreadable in broken],
    }


def _say(found: tuple[Neighbor, ...], broken: list[UnreadableImage], sheet: Path | None) -> None:
    for unreadable in broken:
        err().print(unreadable.reason, markup=False, soft_wrap=True)
    for neighbor in found:
        out().print(f"{neighbor.similarity:.3f}  {neighbor.file}", markup=False, soft_wrap=True)
    if sheet:
        err().print(f"Contact sheet: {sheet}", markup=False, soft_wrap=True)
