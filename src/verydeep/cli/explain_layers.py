"""What ``verydeep explain`` shows of a network's own layers: strongest patches, and first filters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from rich.progress import track
from torch import Tensor

from verydeep.data.decode import decode
from verydeep.data.samples import UnreadableImage
from verydeep.errors import UnreadableError
from verydeep.explain.patches import Channel, first_filters, strongest_patches
from verydeep.models.checkpoint import Checkpoint
from verydeep.pictures.patches_image import write_filters, write_patches
from verydeep.terminal.console import err, out, print_json

BATCH_SIZE = 16
"""Images at a time in the search for patches."""


def say_broken(broken: list[UnreadableImage]) -> None:
    """Each on a line of its own, on stderr."""
    for one in broken:
        err().print(one.reason, markup=False, soft_wrap=True)


def show_filters(network: Checkpoint, folder: Path, json: bool) -> int:
    """Draw the first filters into ``folder``; the exit code."""
    weights, path = first_filters(network), folder / "filters.png"
    write_filters(weights, network.model.architecture.name, path)
    if json:
        print_json({"picture": str(path), "filters": len(weights), "kernel": weights.shape[2]})
    else:
        out().print(f"{path}: {len(weights)} filters", markup=False, soft_wrap=True)
    return 0


def show_patches(network: Checkpoint, files: list[Path], layer: str | None, folder: Path, json: bool) -> int:
    """Draw the strongest patches of ``files`` into ``folder``; the exit code."""
    read: list[Path] = []
    broken: list[UnreadableImage] = []
    found = strongest_patches(network, _batches(network, files, read, broken), layer)
    path = folder / f"patches-{found.layer}.png"
    write_patches(found, read, network.preprocess, network.model.architecture.name, path)
    if json:
        values = {"picture": str(path), "layer": found.layer, "field": found.field, "images": found.images}
        channels = [_channel(channel, read) for channel in found.channels]
        print_json(values | {"channels": channels, "broken": [one.values for one in broken]})
    else:
        say_broken(broken)
        said = f"the {len(found.channels)} foremost channels of {found.layer} in {found.images:,} images"
        out().print(f"{path}: {said}", markup=False, soft_wrap=True)
    return 1 if broken else 0


def _batches(
    network: Checkpoint, files: list[Path], read: list[Path], broken: list[UnreadableImage]
) -> Iterator[UInt8[Tensor, "count channels size size"]]:
    """The pixels of ``files``, a batch at a time; notes which were read, in order, and which are broken."""
    starts = range(0, len(files), BATCH_SIZE)
    for start in track(starts, "Looking", console=err(), transient=True):
        pixels = []
        for file in files[start : start + BATCH_SIZE]:
            try:
                pixels.append(decode(file, network.preprocess))
                read.append(file)
            except UnreadableError as error:
                broken.append(UnreadableImage.from_error(file, error))
        if pixels:
            yield torch.stack(pixels)


def _channel(channel: Channel, files: list[Path]) -> dict[str, Any]:
    return {
        "channel": channel.number,
        "stands_out": channel.stands_out,
        "patches": [
            {"file": str(files[patch.image]), "box": patch.box, "activation": patch.activation}
            for patch in channel.patches
        ],
    }
