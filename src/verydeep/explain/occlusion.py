"""Occlusion: how much the prediction of a class drops when a part of the image is covered.

Zeiler and Fergus 2014 (arXiv 1311.2901).
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from verydeep.models.blocks import Images
from verydeep.runtime.occlusion import Window, mean_over_windows, occlusion_windows


def occlusion(
    model: Callable[[Images], Tensor],
    images: Images,
    labels: Int64[Tensor, " batch"],
    *,
    window: int | None = None,
    stride: int | None = None,
    batch_size: int = 8,
) -> Float[Tensor, "batch height width"]:
    """The drop in log-probability of ``labels`` when a gray square covers a pixel, signed, in nats.

    Zeiler and Fergus use the probability itself, which hardly changes near 1. The value of a pixel is the
    mean over the windows that cover it, and 0 if none does. Gray is the mean of the data, 0 in preprocessed
    images.

    Args:
        model: from images to logits, such as a network in evaluation mode.
        images: preprocessed images.
        labels: the class of each image.
        window: side of the square in px; 1/7 of the image's side by default.
        stride: px between windows; half of the window by default. The last window ends at the border.
        batch_size: covered images per batch.
    """
    height, width = images.shape[2:]
    windows = occlusion_windows(height, width, window, stride)
    heat = [
        mean_over_windows(
            _drops(model, image, label, windows, batch_size).numpy(force=True), windows, (height, width)
        )
        for image, label in zip(images, labels, strict=True)
    ]
    return torch.from_numpy(np.stack(heat)).to(images.device)


@torch.inference_mode()
def _drops(
    model: Callable[[Images], Tensor],
    image: Float[Tensor, "channels height width"],
    label: Int64[Tensor, ""],
    windows: list[Window],
    batch_size: int,
) -> Float32[Tensor, " windows"]:
    """The drop in the log-probability of ``label`` under each window."""
    uncovered = model(image[None]).log_softmax(1)[0, label]
    drops = []
    for start in range(0, len(windows), batch_size):
        batch = windows[start : start + batch_size]
        covered = image.repeat(len(batch), 1, 1, 1)
        for copy, (rows, columns) in zip(covered, batch, strict=True):
            copy[:, rows, columns] = 0
        drops.append(uncovered - model(covered).log_softmax(1)[:, label])
    return torch.cat(drops).float()
