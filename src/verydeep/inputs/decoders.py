"""What decodes training images: threads of this process on a few cores, processes on many."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verydeep.data.images import Images
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.decoding.processes import DecodingProcesses, are_available
from verydeep.image_sources.webdataset import TarMember
from verydeep.machine import usable_cores
from verydeep.packs.packed_pixels import PackedImage
from verydeep.torchrun import local_world_size

CORES = 4
"""From so many on, processes decode: threads hold Python's lock for a quarter of the time of an image."""
IMAGES = 2_000
"""From so many on: these take a core some seconds in each epoch, and a process is started in 0.2 s."""
MAX_PROCESSES = 32
"""They decode more images than a GPU trains on, and take 40 MB each."""


def cores_of_rank() -> int:
    """The usable cores, divided among the ranks on this host."""
    return max(1, usable_cores() // local_world_size())


@contextmanager
def decoding_processes(images: Images | ImagesOnDisk, cores: int) -> Iterator[DecodingProcesses | None]:
    """The processes for a training on ``images`` with so many cores; None where threads are to decode.

    Threads also decode the images of tables, which are open in this process.
    """
    if (
        not isinstance(images, ImagesOnDisk)
        or len(images) < IMAGES
        or cores < CORES
        or not isinstance(images.sources[0], Path | TarMember | PackedImage)
        or not are_available()
    ):
        yield None
        return
    with DecodingProcesses(min(cores, MAX_PROCESSES), images.preprocess, images.decoder) as processes:
        yield processes
