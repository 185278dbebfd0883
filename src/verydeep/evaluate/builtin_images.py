"""The images of a built-in data set to evaluate a network on."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import UInt8

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.builtin import load_dataset
from verydeep.data.normalize import fit_to_input
from verydeep.data.split_file import WantedPart
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.decoding.stream import PixelBatch
from verydeep.download.download import Progress
from verydeep.errors import DataError
from verydeep.evaluate.labeled_images import LabeledImages
from verydeep.evaluate.network_labels import network_labels


def read_builtin(
    data: str,
    classes: tuple[str, ...],
    part: WantedPart | None = None,
    group_by: str | None = None,
    progress: Progress | None = None,
) -> LabeledImages:
    """The images of the built-in data set ``data``, labeled with the ``classes`` of a network.

    Args:
        data: its name.
        classes: the network's, in order.
        part: train or test; the test images by default.
        group_by: None, as these images have no groups.
        progress: called while the data set is downloaded.

    Raises:
        DataError: if there is no such part, or the network does not have these classes.
    """
    part = part or "test"
    if part not in ("train", "test") or group_by:
        raise DataError(f"{data} has the parts test and train, and no groups")
    dataset = load_dataset(data, progress=progress)
    images = dataset.test if part == "test" else dataset.train
    labels = network_labels(images.labels.numpy(), images.classes, classes, data)
    description = f"the {len(images):,} {part} images of {dataset.name}"
    return LabeledImages(dataset.name, images.pixels.numpy(), labels, None, part, description)


def fitted_batches(
    pixels: UInt8[np.ndarray, "count channels height width"], preprocess: Preprocess
) -> Iterator[PixelBatch]:
    """All of ``pixels`` at the input size of ``preprocess``, in batches."""
    size = auto_batch_size(preprocess.size**2)
    for start in range(0, len(pixels), size):
        batch = torch.from_numpy(pixels[start : start + size])
        indices = np.arange(start, start + len(batch))
        yield PixelBatch(indices, fit_to_input(batch, preprocess).numpy(), ())
