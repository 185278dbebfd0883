"""The slow part of every evaluation, once: from pixels to logits."""

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from verydeep.data.transforms import crop_to, normalise
from verydeep.models.classifier import Classifier
from verydeep.spec.preprocess import Preprocess

BATCH_SIZE = 500
BATCH_PIXELS = 1_600_000
"""Of a batch, at most: VGG's first maps take 512 bytes of memory for each. 32 images of 224 px."""


def predict(
    model: Classifier,
    pixels: UInt8[Tensor, "count channels height width"],
    preprocess: Preprocess,
    *,
    batch_size: int | None = None,
) -> Float32[Tensor, "count classes"]:
    """Logits of every image, on the CPU; the model is left in the mode in which it came.

    ``pixels`` may lie on another device than the model, and have another size: a batch at a time they travel,
    are resized and cropped as ``preprocess`` says, and normalised.
    """
    batch_size = batch_size or usual_batch_size(preprocess)
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        batches = [
            model(normalise(crop_to(batch.to(device), preprocess), preprocess)).float().cpu()
            for batch in torch.split(pixels, batch_size)
        ]
    model.train(was_training)
    return torch.cat(batches)


def usual_batch_size(preprocess: Preprocess) -> int:
    """As many images as fill a processor and not its memory."""
    return max(1, min(BATCH_SIZE, BATCH_PIXELS // preprocess.size**2))
