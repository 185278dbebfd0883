"""Occlusion: how much the prediction of a class drops when a part of the image is covered.

Zeiler and Fergus 2014 (arXiv 1311.2901).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from verydeep.explain.occlusion_windows import occlusion_windows
from verydeep.models.blocks import Images


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
    windows = occlusion_windows(images.shape[2], images.shape[3], window, stride)
    return torch.stack(
        [
            _occlude(model, image, label, windows, batch_size)
            for image, label in zip(images, labels, strict=True)
        ]
    )


@torch.inference_mode()
def _occlude(
    model: Callable[[Images], Tensor],
    image: Float[Tensor, "channels height width"],
    label: Int64[Tensor, ""],
    windows: list[tuple[slice, slice]],
    batch_size: int,
) -> Float[Tensor, "height width"]:
    uncovered = model(image[None]).log_softmax(1)[0, label]
    drop_sums, window_counts = torch.zeros_like(image[0]), torch.zeros_like(image[0])
    for start in range(0, len(windows), batch_size):
        some = windows[start : start + batch_size]
        covered = image.repeat(len(some), 1, 1, 1)
        for copy, (rows, columns) in zip(covered, some, strict=True):
            copy[:, rows, columns] = 0
        drops = uncovered - model(covered).log_softmax(1)[:, label]
        for drop, (rows, columns) in zip(drops, some, strict=True):
            drop_sums[rows, columns] += drop
            window_counts[rows, columns] += 1
    return drop_sums / window_counts.clamp_min(1)
