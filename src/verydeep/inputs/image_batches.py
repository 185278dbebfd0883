"""The source of training batches that fits the images: in memory, or on disk."""

import torch

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.images import Images
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.decoding.processes import DecodingProcesses
from verydeep.inputs.batch_source import BatchSource
from verydeep.inputs.pixels_in_memory import PixelsInMemory
from verydeep.inputs.streamed_images import StreamedImages


def batch_source(
    images: Images | ImagesOnDisk,
    preprocess: Preprocess,
    device: torch.device,
    *,
    augment: AugmentConfig | None = None,
    seed: int = 0,
    channels_last: bool,
    processes: DecodingProcesses | None = None,
) -> BatchSource:
    """What makes batches of ``images`` on ``device``; without ``augment``, as they are evaluated."""
    if isinstance(images, ImagesOnDisk):
        return StreamedImages(
            images=images, preprocess=preprocess, device=device, augment=augment, seed=seed,
            channels_last=channels_last, processes=processes,
        )  # fmt: skip
    return PixelsInMemory(
        images=images, preprocess=preprocess, device=device, augment=augment, seed=seed,
        channels_last=channels_last,
    )  # fmt: skip
