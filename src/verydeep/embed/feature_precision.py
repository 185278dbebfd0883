"""The precision of feature extraction: bf16 where the device computes with it and the features agree."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import normalize
from verydeep.data.stream import stream
from verydeep.image_sources.image_source import ImageSource
from verydeep.machine import InferencePrecision, WantedPrecision
from verydeep.models.precision import bf16_error, has_bf16
from verydeep.number_format import percent

SAMPLE = 8
"""Images whose features are compared."""
GREATEST_ERROR = 0.03
"""The mean relative error of an image. With VGG16 it is 0.008, and a linear probe is as accurate with it
(docs/log.md)."""


class FeaturePrecision(NamedTuple):
    """A precision and the reason for it."""

    precision: InferencePrecision
    reason: str = ""
    """In one line; empty where there was nothing to decide."""


def choose_feature_precision(
    wanted: WantedPrecision,
    compute: Callable[[Tensor], Tensor],
    sources: Sequence[ImageSource],
    preprocess: Preprocess,
    device: torch.device,
) -> FeaturePrecision:
    """The precision of the features that ``compute`` gives: as wanted, or by how far bf16 is from fp32.

    Args:
        wanted: auto is bf16 where the device has it and the features of some images agree.
        compute: from normalized images on ``device`` to features.
        sources: images, of which the first ones are compared; without any, auto is fp32.
        preprocess: of these.
        device: that computes.
    """
    if wanted != "auto":
        return FeaturePrecision(wanted)
    if not sources or not has_bf16(device):
        return FeaturePrecision("fp32")
    (batch,) = stream(sources[:SAMPLE], preprocess, SAMPLE)
    count = len(batch.indices)
    if not count:
        return FeaturePrecision("fp32")
    error = bf16_error(compute, normalize(batch.pixels.to(device), preprocess))
    figures = f"features of {count} images differ by {percent(error, 1)} from those in fp32"
    if not error <= GREATEST_ERROR:  # also where the features in fp32 are not finite
        return FeaturePrecision("fp32", f"Features in fp32: in bf16, {figures}")
    return FeaturePrecision("bf16", f"Features in bf16: {figures} (--precision fp32 switches it off)")
