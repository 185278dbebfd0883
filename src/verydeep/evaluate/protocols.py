"""Evaluation protocols (test-time augmentation): which crops of an image are classified, and at which scales.

single       single crop: the crop that the network was trained for
dense        the whole image at one scale, and its mirror image               VGG, section 3.2, Table 3
multi-scale  the same at three scales                                         VGG, section 4.2, Table 4
multi-crop   a grid of 5 x 5 crops and their mirror images at three scales    VGG, section 3.2, Table 5
ten-crop     corners and center at one scale, and their mirror images         Krizhevsky 2012, section 4.1

The crops, mirror images and scales of one image are its views. Probabilities are averaged over views. In
``dense`` and ``multi-scale``, the map of logits is first averaged over its positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float32, Int64

from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import ShapeError
from verydeep.image_sources.image_source import UnreadableImage

ProtocolName = Literal["single", "multi-scale", "ten-crop", "multi-crop", "dense"]


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

    indices: Int64[np.ndarray, " read"]
    """The index of each image among all images."""
    logits: Float32[np.ndarray, "read classes"]
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
