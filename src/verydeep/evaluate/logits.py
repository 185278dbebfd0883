"""The slow part of every evaluation, once: from pixels to logits."""

from collections.abc import Callable

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import normalize, resize_and_crop
from verydeep.models.classifier import Classifier
from verydeep.models.dense import DenseClassifier

BATCH_SIZE = 500
BATCH_PIXELS = 1_600_000
"""Of a batch, at most: VGG's first maps take 512 bytes of memory for each. 32 images of 224 px."""


def predict_logits(
    model: Classifier,
    pixels: UInt8[Tensor, "count channels height width"],
    preprocess: Preprocess,
    *,
    batch_size: int | None = None,
) -> Float32[Tensor, "count classes"]:
    """Logits of every image, on the CPU; the model is left in the mode in which it came.

    ``pixels`` may lie on another device than the model, and have another size: a batch at a time they travel,
    are resized and cropped as ``preprocess`` says, and normalized.
    """
    return _in_batches(
        model,
        pixels,
        batch_size or images_at_once(preprocess.size**2),
        lambda batch: model(normalize(resize_and_crop(batch, preprocess), preprocess)),
    )


def predict_dense(
    model: DenseClassifier,
    pixels: UInt8[Tensor, "count channels height width"],
    preprocess: Preprocess,
) -> Float32[Tensor, "count classes"]:
    """Logits of every image in the size in which it comes: the mean over the map of scores, on the CPU.

    Raises:
        ShapeError: where images are smaller than the network's window.
    """
    return _in_batches(
        model,
        pixels,
        images_at_once(pixels.shape[2] * pixels.shape[3]),
        lambda batch: model(normalize(batch, preprocess)).mean((2, 3)),
    )


def images_at_once(pixels: int) -> int:
    """How many images of so many pixels make a batch."""
    return max(1, min(BATCH_SIZE, BATCH_PIXELS // pixels))


def _in_batches(
    model: nn.Module,
    pixels: UInt8[Tensor, "count channels height width"],
    batch_size: int,
    score: Callable[[Tensor], Tensor],
) -> Float32[Tensor, "count classes"]:
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        batches = [score(batch.to(device)).float().cpu() for batch in torch.split(pixels, batch_size)]
    model.train(was_training)
    return torch.cat(batches)
