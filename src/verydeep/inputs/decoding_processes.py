"""What decodes training images: threads of this process on a few cores, processes on many."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verydeep.data.images import Images
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.decoding.cores import cores_of_rank
from verydeep.decoding.processes import DecodingProcesses, are_available
from verydeep.errors import DataError
from verydeep.image_sources.webdataset import TarMember
from verydeep.packs.packed_pixels import PackedImage

LEAST_CORES = 4
"""From so many on, processes decode: threads hold Python's lock for a quarter of the time of an image."""
LEAST_IMAGES = 2_000
"""From so many on: these take a core some seconds in each epoch, and processes start in half a second."""
MAX_PROCESSES = 32
"""They decode more images than a GPU trains on."""
VARIABLE, MAX_WANTED = "VERYDEEP_DECODING_PROCESSES", 1024
"""The environment variable that sets the number of processes of each rank; 0 for threads."""


def process_count(images: int, cores: int) -> int:
    """How many processes decode so many images on so many cores; 0 where threads do.

    Raises:
        DataError: where the environment says otherwise, and gives no number.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted:
        if not wanted.isascii() or not wanted.isdecimal() or int(wanted) > MAX_WANTED:
            raise DataError(
                f"{VARIABLE} is {wanted!r}; give the number of processes, 0 to {MAX_WANTED}, or 0 for threads"
            )
        return int(wanted)
    return min(cores, MAX_PROCESSES) if cores >= LEAST_CORES and images >= LEAST_IMAGES else 0


@contextmanager
def decoding_processes(images: Images | ImagesOnDisk) -> Iterator[DecodingProcesses | None]:
    """The processes that decode for a training on ``images``; None where threads are to decode.

    Threads also decode the images of tables, which are open in this process.
    """
    count = process_count(len(images), cores_of_rank())
    if not count or not are_available() or not isinstance(images, ImagesOnDisk) or not _can_be_sent(images):
        yield None
        return
    with DecodingProcesses(count, images.preprocess, images.decoder) as processes:
        yield processes


def _can_be_sent(images: ImagesOnDisk) -> bool:
    """Whether sources are names of files and positions in them; all sources are of one kind."""
    return isinstance(images.sources[0], Path | TarMember | PackedImage)
