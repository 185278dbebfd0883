"""Writes a data set in memory as a folder of images: ``train/cat/00000.png`` and ``test/cat/00000.png``."""

from pathlib import Path

import numpy as np
from PIL import Image

from verydeep.atomic_write import atomic_folder
from verydeep.data.class_folders import class_folders
from verydeep.data.images import Dataset, Images
from verydeep.errors import DataError


def write_images(dataset: Dataset, folder: Path | str) -> None:
    """Write each image of ``dataset`` as a PNG, with one folder for each class, as ``read_samples`` reads it.

    The parts are ``train``, ``test``, and ``val`` where the data set has one. The name of an image is its
    number in its part.

    Args:
        dataset: images of one channel, gray, or of three, RGB.
        folder: the folder to write, which must not exist; it is written completely or not at all.

    Raises:
        DataError: if ``folder`` exists, two classes would have the same folder, or the images have another
            number of channels.
    """
    folder = Path(folder)
    if folder.exists():
        raise DataError(f"{folder} exists; name a new folder, or delete it")
    with atomic_folder(folder) as written:
        for part, images in {"train": dataset.train, "val": dataset.val, "test": dataset.test}.items():
            if images is not None:
                _write_part(images, written / part)


def _write_part(images: Images, folder: Path) -> None:
    channels = images.image_shape[0]
    if channels not in (1, 3):
        raise DataError(f"the images have {channels} channels; an image file has 1 (gray) or 3 (RGB)")
    names = class_folders(images.classes)
    for index, label in enumerate(images.labels.tolist()):
        class_folder = folder / names[images.classes[label]]
        class_folder.mkdir(parents=True, exist_ok=True)
        pixels = images.picture(index)
        picture = Image.fromarray(
            pixels[0] if channels == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
        )
        picture.save(class_folder / f"{index:05}.png")
