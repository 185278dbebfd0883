"""Evaluation protocols (test-time augmentation): which crops of an image are classified, and at which scales.

single       single crop: the crop that the network was trained for
dense        the whole image at one scale, and its mirror image               VGG, section 3.2, Table 3
multi-scale  the same at three scales                                         VGG, section 4.2, Table 4
multi-crop   a grid of 5 x 5 crops and their mirror images at three scales    VGG, section 3.2, Table 5
ten-crop     corners and center at one scale, and their mirror images         Krizhevsky 2012, section 4.1

The crops, mirror images and scales of one image are its views. Probabilities are averaged over views. In
``dense`` and ``multi-scale``, the map of logits is first averaged over its positions.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import log
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import fit_to_input, resize_short_side
from verydeep.data.stream import stream, stream_whole
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.errors import DataError, ShapeError
from verydeep.evaluate.crops import CropPosition, corners_and_center, crops, grid
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.image_sources.samples import Samples
from verydeep.models.classifier import Classifier
from verydeep.models.dense import DenseClassifier
from verydeep.models.logits import predict_dense, predict_logits
from verydeep.runtime.exported_network import ExportedNetwork

ProtocolName = Literal["single", "multi-scale", "ten-crop", "multi-crop", "dense"]
Pixels = UInt8[Tensor, "count channels height width"]
Logits = Float32[Tensor, "count classes"]
_Batch = tuple[Int64[Tensor, " read"], Any, tuple[UnreadableImage, ...]]
_Forward = Callable[[Any], Logits]


@dataclass(frozen=True)
class Protocol:
    """An evaluation protocol with its scales."""

    name: ProtocolName
    scales: tuple[int, ...]
    """Short sides of the whole image, in px."""
    flip: bool
    """Whether mirror images are classified too."""

    @property
    def description(self) -> str:
        """A sentence for people."""
        if self.name == "single":
            return "single-crop protocol, preprocessed as in training"
        scales = ", ".join(map(str, self.scales))
        return f"protocol {self.name} at {scales} px{', with mirror images' if self.flip else ''}"

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {"name": self.name, "scales": self.scales, "flip": self.flip}


class LogitBatch(NamedTuple):
    """The logits of some images."""

    indices: Int64[Tensor, " read"]
    """The index of each image among all images."""
    logits: Float32[Tensor, "read classes"]
    """With several views, the logarithm of their mean probabilities."""
    broken: tuple[UnreadableImage, ...] = ()
    """The images that cannot be read."""


def make_protocol(
    name: ProtocolName, preprocess: Preprocess, *, scales: Sequence[int] | None = None, flip: bool = True
) -> Protocol:
    """The protocol ``name`` for a network with ``preprocess``.

    Args:
        name: which protocol; see the table of this module.
        preprocess: the network's preprocessing. Its short side S is the one scale; three scales are 7/8, 8/8
            and 9/8 of it: 224, 256 and 288 for 256, as in the paper for networks trained at one scale. Crops
            need a margin: if there is none, S is 8/7 of the network's input size.
        scales: short sides in px, instead of those.
        flip: whether mirror images are classified too; the protocol ``single`` never does.

    Raises:
        ShapeError: if a scale is smaller than the input size, scales are given for ``single``, or images are
            not cropped in the network's preprocessing.
    """
    if name == "single":
        if scales:
            others = ", ".join(other for other in get_args(ProtocolName) if other != "single")
            raise ShapeError(
                "the protocol single evaluates images as in training, at one scale; with scales, use one of "
                f"{others}"
            )
        return Protocol(name, (preprocess.short_side,), flip=False)
    if preprocess.fit != "crop":
        raise ShapeError(
            f"the protocol {name} classifies crops, or whole images at their own shape; this network was "
            f"trained on images that are fitted by {preprocess.fit!r}. Use the protocol single"
        )
    chosen = tuple(scales or _default_scales(name, preprocess))
    if min(chosen) < preprocess.size:
        raise ShapeError(
            f"the scale {min(chosen)} px is below the input size of the network, {preprocess.size} px. "
            "Give short sides of at least that size"
        )
    return Protocol(name, chosen, flip)


def _default_scales(name: ProtocolName, preprocess: Preprocess) -> tuple[int, ...]:
    side = preprocess.short_side
    if name in ("ten-crop", "multi-crop") and side == preprocess.size:
        side = round(side * 8 / 7)
    if name in ("dense", "ten-crop"):
        return (side,)
    return tuple(dict.fromkeys(max(preprocess.size, round(side * eighths / 8)) for eighths in (7, 8, 9)))


def protocol_logits(
    model: Classifier, images: Pixels | Samples, preprocess: Preprocess, protocol: Protocol
) -> Iterator[LogitBatch]:
    """The logits of ``images`` under ``protocol``, in batches, in order; broken files are reported.

    The model stays on its device, and keeps its training or evaluation mode.
    """
    batch_size = auto_batch_size(_pixels_per_image(preprocess, protocol))
    if protocol.name == "single":
        batches: Iterable[_Batch] = _cropped(images, preprocess, batch_size)
        forward: _Forward = partial(predict_logits, model, preprocess=preprocess)
    else:
        batches = _whole(images, preprocess, protocol.scales, batch_size)
        forward = partial(_average_scales, _forward_views(model, preprocess, protocol))
    empty = torch.zeros(0, model.architecture.classes)
    for indices, pixels, broken in batches:
        yield LogitBatch(indices, forward(pixels) if len(indices) else empty, broken)


def exported_logits(
    network: ExportedNetwork, images: Pixels | Samples, protocol: Protocol
) -> Iterator[LogitBatch]:
    """The logits of ``images`` by an exported network, in batches, in order; broken files are reported.

    Raises:
        DataError: if ``protocol`` is not single.
    """
    if protocol.name != "single":
        raise DataError(
            f"an exported network has only the protocol single, not {protocol.name}. Evaluate the run that "
            "it was exported from"
        )
    preprocess = network.preprocess
    for indices, pixels, broken in _cropped(images, preprocess, auto_batch_size(preprocess.size**2)):
        cropped = fit_to_input(pixels, preprocess).numpy()
        logits = network.logits(cropped) if len(indices) else np.zeros((0, len(network.classes)), np.float32)
        yield LogitBatch(indices, torch.from_numpy(logits), broken)


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
