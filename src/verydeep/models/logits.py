"""Inference in batches: the logits of images, the slow part of every evaluation."""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import fit_to_input, normalize
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.models.classifier import Classifier
from verydeep.models.dense import DenseClassifier


def predict_logits(
    model: Classifier,
    pixels: UInt8[Tensor, "count channels height width"],
    preprocess: Preprocess,
    *,
    batch_size: int | None = None,
) -> Float32[Tensor, "count classes"]:
    """Logits of every image, on the CPU. The model keeps its training or evaluation mode.

    ``pixels`` may be on another device than the model, and of another size: each batch is moved to the
    model's device, cropped, padded or squashed according to ``preprocess``, and normalized.
    """
    return _in_batches(
        model,
        pixels.split(batch_size or auto_batch_size(preprocess.size**2)),
        lambda batch: model(normalize(fit_to_input(batch, preprocess), preprocess)),
    )


def predict_dense(
    model: DenseClassifier,
    pixels: UInt8[Tensor, "count channels height width"],
    preprocess: Preprocess,
) -> Float32[Tensor, "count classes"]:
    """Logits of every image at its own size: the mean over the map of class scores, on the CPU.

    Raises:
        ShapeError: if images are smaller than the network's input size.
    """
    return _in_batches(
        model,
        pixels.split(auto_batch_size(pixels.shape[2] * pixels.shape[3])),
        lambda batch: model(normalize(batch, preprocess)).mean((2, 3)),
    )


def _in_batches(
    model: nn.Module,
    batches: Iterable[UInt8[Tensor, "_ channels height width"]],
    forward: Callable[[Tensor], Tensor],
) -> Float32[Tensor, "count classes"]:
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        logits = [forward(batch.to(device)).float().cpu() for batch in batches]
    model.train(was_training)
    return torch.cat(logits)
