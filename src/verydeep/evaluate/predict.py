"""The slow part of every evaluation, once: from pixels to logits."""

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from verydeep.data.transforms import normalise
from verydeep.models.classifier import Classifier
from verydeep.spec.preprocess import Preprocess

BATCH_SIZE = 500


def predict(
    model: Classifier,
    pixels: UInt8[Tensor, "count channels height width"],
    preprocess: Preprocess,
    *,
    batch_size: int = BATCH_SIZE,
) -> Float32[Tensor, "count classes"]:
    """Logits of every image, on the CPU; the model is left in the mode in which it came.

    ``pixels`` may lie on another device than the model: they travel a batch at a time.
    """
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        batches = [
            model(normalise(batch.to(device), preprocess)).float().cpu()
            for batch in torch.split(pixels, batch_size)
        ]
    model.train(was_training)
    return torch.cat(batches)
