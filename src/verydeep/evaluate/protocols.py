"""What of an image the network is shown, and how its answers come together: the papers' own protocols.

single       the crop that the network was trained for, once
dense        the whole image at one scale, and its mirror image               VGG, section 3.2, Table 3
multi-scale  the same at three scales                                         VGG, section 4.2, Table 4
multi-crop   a grid of 5 x 5 crops and their mirror images at three scales    VGG, section 3.2, Table 5
ten-crop     corners and center at one scale, and their mirror images         Krizhevsky 2012, section 4.1

Of ``dense`` and ``multi-scale`` the map of logits is averaged over its places; then, as of all views,
probabilities are averaged.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import log
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import resize_short_side
from verydeep.data.samples import Samples, UnreadableImage
from verydeep.data.stream import stream, stream_whole
from verydeep.errors import ShapeError
from verydeep.evaluate.crops import Place, corners_and_center, crops, grid
from verydeep.evaluate.logits import images_at_once, predict_dense, predict_logits
from verydeep.models.classifier import Classifier
from verydeep.models.dense import DenseClassifier

ProtocolName = Literal["single", "multi-scale", "ten-crop", "multi-crop", "dense"]
Pixels = UInt8[Tensor, "count channels height width"]
Logits = Float32[Tensor, "count classes"]
_Read = tuple[Int64[Tensor, " read"], Any, tuple[UnreadableImage, ...]]
_Score = Callable[[Any], Logits]


@dataclass(frozen=True)
class Protocol:
    """A way to look at an image."""

    name: ProtocolName
    scales: tuple[int, ...]
    """Short sides of the whole image, in px."""
    flip: bool
    """Whether mirror images are shown too."""

    @property
    def words(self) -> str:
        """For people."""
        if self.name == "single":
            return "each image shown once, as in training"
        scales = ", ".join(map(str, self.scales))
        return f"protocol {self.name} at {scales} px{', with mirror images' if self.flip else ''}"


class ViewLogits(NamedTuple):
    """What the network makes of some images."""

    indices: Int64[Tensor, " seen"]
    """The place of each among all."""
    logits: Float32[Tensor, "seen classes"]
    """Where views were averaged, the logarithm of the mean of their probabilities."""
    broken: tuple[UnreadableImage, ...] = ()


def protocol(
    name: ProtocolName, preprocess: Preprocess, *, scales: Sequence[int] | None = None, flip: bool = True
) -> Protocol:
    """The protocol ``name`` for a network with ``preprocess``.

    Args:
        name: which; see the table of this module.
        preprocess: what the network sees. Its short side S is the one scale; three scales are 7/8, 8/8 and
            9/8 of it: 224, 256 and 288 for 256, as the paper has it for networks trained at one scale. Crops
            need a margin: where there is none, S is 8/7 of the network's size.
        scales: short sides in px, in place of those.
        flip: whether mirror images are shown too; never by ``single``.

    Raises:
        ShapeError: where a scale is smaller than what the network sees, or ``single`` is given any.
    """
    if name == "single":
        if scales:
            raise ShapeError(
                "the protocol single shows images as the network was trained, at one scale; with scales, "
                f"take one of {', '.join(other for other in get_args(ProtocolName) if other != 'single')}"
            )
        return Protocol(name, (preprocess.short_side,), flip=False)
    chosen = tuple(scales or _scales(name, preprocess))
    if min(chosen) < preprocess.size:
        raise ShapeError(
            f"a scale of {min(chosen)} px was asked for; the network sees {preprocess.size} px. "
            "Give short sides of that at least"
        )
    return Protocol(name, chosen, flip)


def _scales(name: ProtocolName, preprocess: Preprocess) -> tuple[int, ...]:
    side = preprocess.short_side
    if name in ("ten-crop", "multi-crop") and side == preprocess.size:
        side = round(side * 8 / 7)
    if name in ("dense", "ten-crop"):
        return (side,)
    return tuple(dict.fromkeys(max(preprocess.size, round(side * eighths / 8)) for eighths in (7, 8, 9)))


def look(
    model: Classifier, images: Pixels | Samples, preprocess: Preprocess, protocol: Protocol
) -> Iterator[ViewLogits]:
    """What ``model`` makes of every image, some at a time, in order; broken files are named.

    The model stays where it is, and is left in the mode in which it came.
    """
    at_once = images_at_once(_pixels_shown(preprocess, protocol))
    if protocol.name == "single":
        batches: Iterable[_Read] = _cropped(images, preprocess, at_once)
        score: _Score = partial(predict_logits, model, preprocess=preprocess)
    else:
        batches = _whole(images, preprocess, protocol.scales, at_once)
        score = partial(_average, _scorer(model, preprocess, protocol))
    nothing = torch.zeros(0, model.architecture.classes)
    for indices, read, broken in batches:
        yield ViewLogits(indices, score(read) if len(indices) else nothing, broken)


def _pixels_shown(preprocess: Preprocess, protocol: Protocol) -> int:
    """Of all views of an image that is square."""
    each = (2 if protocol.flip else 1) * _PLACES[protocol.name]
    if protocol.name in ("dense", "multi-scale"):
        return each * sum(scale**2 for scale in protocol.scales)
    return each * len(protocol.scales) * preprocess.size**2


_PLACES = {"single": 1, "dense": 1, "multi-scale": 1, "ten-crop": 5, "multi-crop": 25}


def _cropped(images: Pixels | Samples, preprocess: Preprocess, at_once: int) -> Iterable[_Read]:
    if isinstance(images, Samples):
        return stream(images.sources, preprocess, at_once)
    return ((chunk, images[chunk], ()) for chunk in torch.arange(len(images)).split(at_once))


def _whole(
    images: Pixels | Samples, preprocess: Preprocess, scales: tuple[int, ...], at_once: int
) -> Iterable[_Read]:
    """Whole images, each once a scale."""
    if isinstance(images, Samples):
        yield from stream_whole(images.sources, preprocess.channels, scales, at_once)
        return
    for chunk in torch.arange(len(images)).split(at_once):
        yield (
            chunk,
            list(zip(*(resize_short_side(images[chunk], scale) for scale in scales), strict=True)),
            (),
        )


def _average(score: Callable[[list[Tensor]], Logits], images: Sequence[Sequence[Tensor]]) -> Logits:
    """Of all scales."""
    at_scales = zip(*images, strict=True)
    return _mean_of_probabilities(torch.stack([score(list(wholes)) for wholes in at_scales]))


def _scorer(
    model: Classifier, preprocess: Preprocess, protocol: Protocol
) -> Callable[[list[Tensor]], Logits]:
    """What turns whole images of one scale into one row of logits each."""
    if protocol.name in ("dense", "multi-scale"):
        views, score = _whole_views, partial(predict_dense, DenseClassifier(model))
    else:
        places = grid if protocol.name == "multi-crop" else corners_and_center
        views, score = partial(_crop_views, preprocess.size, places), partial(predict_logits, model)

    def of_one_shape(pixels: Pixels) -> Logits:
        shown = views(pixels)  # (views, count, channels, height, width)
        shown = torch.cat([shown, shown.flip(-1)]) if protocol.flip else shown
        logits = score(shown.flatten(0, 1), preprocess)
        return _mean_of_probabilities(logits.unflatten(0, shown.shape[:2]))

    return partial(_by_shape, of_one_shape)


def _whole_views(pixels: Pixels) -> Tensor:
    return pixels[None]


def _crop_views(size: int, places: Callable[[int, int, int], tuple[Place, ...]], pixels: Pixels) -> Tensor:
    return crops(pixels, size, places(pixels.shape[2], pixels.shape[3], size))


def _by_shape(score: Callable[[Pixels], Logits], images: list[Tensor]) -> Logits:
    """``score`` of all images, those of one shape together."""
    shapes: dict[torch.Size, list[int]] = {}
    for place, image in enumerate(images):
        shapes.setdefault(image.shape, []).append(place)
    rows = torch.cat([score(torch.stack([images[i] for i in places])) for places in shapes.values()])
    order = torch.tensor([place for places in shapes.values() for place in places])
    return rows[order.argsort()]


def _mean_of_probabilities(logits: Float32[Tensor, "views count classes"]) -> Logits:
    """The logarithm of the mean of the views' probabilities: its softmax is that mean."""
    return logits.log_softmax(2).logsumexp(0) - log(len(logits))
