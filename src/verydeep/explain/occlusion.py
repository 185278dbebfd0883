"""What a network misses when a part of the image is covered: Zeiler and Fergus 2014 (arXiv 1311.2901)."""

from itertools import product

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from verydeep.models.blocks import Images
from verydeep.models.classifier import Classifier

PARTS = 7
"""Windows that lie side by side along an image: one is as wide as a value of VGG's last map, 32 of 224 px."""


def occlusion(
    model: Classifier,
    images: Images,
    labels: Int64[Tensor, " batch"],
    *,
    window: int | None = None,
    stride: int | None = None,
    batch_size: int = 8,
) -> Float[Tensor, "batch height width"]:
    """How much log-probability of ``labels`` goes when a gray square covers a pixel, signed, in nats.

    Zeiler and Fergus map the probability itself, which hardly moves while it is close to 1. A pixel has the
    mean over the windows that cover it, and 0 where none does. Gray is the mean of the data: 0 in ``images``,
    which are as the network sees them. The model must be in eval.

    Args:
        model: the network.
        images: as the network sees them.
        labels: the class of each image.
        window: side of the square in px; a seventh of the image's by default.
        stride: px between windows; half of the window by default. The last one ends with the image.
        batch_size: covered images at a time.
    """
    height, width = images.shape[2:]
    window = window or max(1, round(min(height, width) / PARTS))
    stride = stride or -(-window // 2)
    corners = list(product(_starts(height, window, stride), _starts(width, window, stride)))
    return torch.stack(
        [
            _map(model, image, label, corners, window, batch_size)
            for image, label in zip(images, labels, strict=True)
        ]
    )


def _starts(length: int, window: int, stride: int) -> list[int]:
    last = max(0, length - window)
    return [*range(0, last, stride), last]


@torch.inference_mode()
def _map(
    model: Classifier,
    image: Float[Tensor, "channels height width"],
    label: Int64[Tensor, ""],
    corners: list[tuple[int, int]],
    window: int,
    batch_size: int,
) -> Float[Tensor, "height width"]:
    whole = model(image[None]).log_softmax(1)[0, label]
    lost, covers = torch.zeros_like(image[0]), torch.zeros_like(image[0])
    for start in range(0, len(corners), batch_size):
        places = [
            (slice(top, top + window), slice(left, left + window))
            for top, left in corners[start : start + batch_size]
        ]
        covered = image.repeat(len(places), 1, 1, 1)
        for copy, (rows, columns) in zip(covered, places, strict=True):
            copy[:, rows, columns] = 0
        drops = whole - model(covered).log_softmax(1)[:, label]
        for drop, (rows, columns) in zip(drops, places, strict=True):
            lost[rows, columns] += drop
            covers[rows, columns] += 1
    return lost / covers.clamp_min(1)
