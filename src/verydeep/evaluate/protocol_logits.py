"""The logits of a checkpoint under an evaluation protocol; ``protocols.py`` has what each protocol does."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import log
from typing import Any

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import resize_short_side
from verydeep.data.stream import stream, stream_whole
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.evaluate.crops import CropPosition, corners_and_center, crops, grid
from verydeep.evaluate.protocols import LogitBatch, Protocol
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.image_sources.samples import Samples
from verydeep.models.classifier import Classifier
from verydeep.models.dense import DenseClassifier
from verydeep.models.logits import predict_dense, predict_logits

Pixels = UInt8[Tensor, "count channels height width"]
Logits = Float32[Tensor, "count classes"]
_Batch = tuple[Int64[Tensor, " read"], Any, tuple[UnreadableImage, ...]]
_Forward = Callable[[Any], Logits]


def protocol_logits(
    model: Classifier,
    images: UInt8[Any, "count channels height width"] | Samples,
    preprocess: Preprocess,
    protocol: Protocol,
) -> Iterator[LogitBatch]:
    """The logits of ``images`` under ``protocol``, in batches, in order; broken files are reported.

    Images in memory are an array or a tensor. The model stays on its device, and keeps its training or
    evaluation mode.
    """
    source = images if isinstance(images, Samples) else torch.as_tensor(images)
    batch_size = auto_batch_size(_pixels_per_image(preprocess, protocol))
    if protocol.name == "single":
        batches: Iterable[_Batch] = _cropped(source, preprocess, batch_size)
        forward: _Forward = partial(predict_logits, model, preprocess=preprocess)
    else:
        batches = _whole(source, preprocess, protocol.scales, batch_size)
        forward = partial(_average_scales, _forward_views(model, preprocess, protocol))
    empty = torch.zeros(0, model.architecture.classes)
    for indices, pixels, broken in batches:
        logits = forward(pixels) if len(indices) else empty
        yield LogitBatch(indices.numpy(), logits.numpy(), broken)


def _pixels_per_image(preprocess: Preprocess, protocol: Protocol) -> int:
    """The number of pixels in all views of a square image."""
    views = (2 if protocol.flip else 1) * _CROPS[protocol.name]
    if protocol.name in ("dense", "multi-scale"):
        return views * sum(scale**2 for scale in protocol.scales)
    return views * len(protocol.scales) * preprocess.size**2


_CROPS = {"single": 1, "dense": 1, "multi-scale": 1, "ten-crop": 5, "multi-crop": 25}
"""Crops per scale, without mirror images."""


def _cropped(images: Pixels | Samples, preprocess: Preprocess, batch_size: int) -> Iterable[_Batch]:
    if isinstance(images, Samples):
        return stream(images.sources, preprocess, batch_size)
    return ((indices, images[indices], ()) for indices in torch.arange(len(images)).split(batch_size))


def _whole(
    images: Pixels | Samples, preprocess: Preprocess, scales: tuple[int, ...], batch_size: int
) -> Iterable[_Batch]:
    """Whole images, each at all scales."""
    if isinstance(images, Samples):
        yield from stream_whole(images.sources, preprocess.channels, scales, batch_size)
        return
    for indices in torch.arange(len(images)).split(batch_size):
        at_scales = (resize_short_side(images[indices], scale) for scale in scales)
        yield indices, list(zip(*at_scales, strict=True)), ()


def _average_scales(forward: Callable[[list[Tensor]], Logits], images: Sequence[Sequence[Tensor]]) -> Logits:
    at_scales = zip(*images, strict=True)
    return _average_probabilities(torch.stack([forward(list(at_scale)) for at_scale in at_scales]))


def _forward_views(
    model: Classifier, preprocess: Preprocess, protocol: Protocol
) -> Callable[[list[Tensor]], Logits]:
    """A function from whole images at one scale to one row of logits per image."""
    if protocol.name in ("dense", "multi-scale"):
        make_views, forward = _whole_view, partial(predict_dense, DenseClassifier(model))
    else:
        positions = grid if protocol.name == "multi-crop" else corners_and_center
        make_views, forward = partial(_crop_views, preprocess.size, positions), partial(predict_logits, model)

    def forward_views(pixels: Pixels) -> Logits:
        views = make_views(pixels)  # (views, count, channels, height, width)
        views = torch.cat([views, views.flip(-1)]) if protocol.flip else views
        logits = forward(views.flatten(0, 1), preprocess)
        return _average_probabilities(logits.unflatten(0, views.shape[:2]))

    return partial(_group_by_shape, forward_views)


def _whole_view(pixels: Pixels) -> Tensor:
    return pixels[None]


def _crop_views(
    size: int, positions: Callable[[int, int, int], tuple[CropPosition, ...]], pixels: Pixels
) -> Tensor:
    return crops(pixels, size, positions(pixels.shape[2], pixels.shape[3], size))


def _group_by_shape(forward: Callable[[Pixels], Logits], images: list[Tensor]) -> Logits:
    """``forward`` for all images; images of one shape go through it together."""
    groups: dict[torch.Size, list[int]] = {}
    for index, image in enumerate(images):
        groups.setdefault(image.shape, []).append(index)
    rows = torch.cat([forward(torch.stack([images[i] for i in group])) for group in groups.values()])
    order = torch.tensor([index for group in groups.values() for index in group])
    return rows[order.argsort()]


def _average_probabilities(logits: Float32[Tensor, "views count classes"]) -> Logits:
    """The logarithm of the mean probabilities of the views: its softmax is that mean."""
    return logits.log_softmax(2).logsumexp(0) - log(len(logits))
