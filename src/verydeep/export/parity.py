"""How the logits of an exported network differ from those of its checkpoint, on images."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.nn import functional

from verydeep.data.normalize import normalize
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.export.check_images import CheckImages
from verydeep.models.checkpoint import Checkpoint
from verydeep.prediction.network import Network
from verydeep.runtime.bundle import Precision

MAX_ERROR: dict[Precision, float] = {"fp32": 1e-4, "bf16": 0.05, "int8": 0.05}
"""The largest relative error of logits that is accepted, by precision."""
MIN_AGREEMENT = 0.99
"""The smallest share of images with the same most probable class that is accepted."""
OTHER_SIZE_IMAGES = 4

_Pixels = UInt8[np.ndarray, "count channels height width"]
_Logits = Float32[np.ndarray, "count classes"]


@dataclass(frozen=True, kw_only=True)
class Parity:
    """The measured difference between a checkpoint and an export of it."""

    precision: Precision
    images: int
    description: str
    """Which images were compared."""
    sizes: tuple[tuple[int, int], ...]
    """Heights and widths in px."""
    relative_error: float
    """The largest difference of a logit, divided by the largest logit; the worst of all sizes."""
    agreement: float
    """The share of images with the same most probable class."""
    accuracy_before: float | None
    """Of the checkpoint, on these images; None without labels."""
    accuracy_after: float | None

    @property
    def is_accepted(self) -> bool:
        """Whether the difference is within the limits for the precision."""
        return self.relative_error <= MAX_ERROR[self.precision] and self.agreement >= MIN_AGREEMENT

    @property
    def values(self) -> dict[str, Any]:
        """For JSON, and for the bundle."""
        return asdict(self) | {"sizes": [list(size) for size in self.sizes]}


def measure_parity(
    checkpoint: Checkpoint,
    network: Network,
    images: CheckImages,
    precision: Precision,
    sizes: Sequence[tuple[int, int]],
) -> Parity:
    """The difference on ``images``, and on some of them resized to each of ``sizes``."""
    own_size = images.pixels.shape[2:]
    before, after = _both(checkpoint, network, images.pixels)
    errors = [relative_error(before, after)]
    for size in sizes:
        errors.append(relative_error(*_both(checkpoint, network, _resized(images.pixels, size))))
    return Parity(
        precision=precision,
        images=len(images),
        description=images.description,
        sizes=((own_size[0], own_size[1]), *sizes),
        relative_error=max(errors),
        agreement=float((before.argmax(1) == after.argmax(1)).mean()),
        accuracy_before=images.accuracy(before),
        accuracy_after=images.accuracy(after),
    )


def relative_error(before: _Logits, after: _Logits) -> float:
    """The largest difference divided by the largest value; infinite where a logit is not finite."""
    if not np.isfinite(after).all():
        return float("inf")
    return float(np.abs(after - before).max() / max(float(np.abs(before).max()), 1e-12))


def _both(checkpoint: Checkpoint, network: Network, pixels: _Pixels) -> tuple[_Logits, _Logits]:
    size = auto_batch_size(pixels.shape[2] * pixels.shape[3])
    batches = [pixels[start : start + size] for start in range(0, len(pixels), size)]
    before = np.concatenate([_checkpoint_logits(checkpoint, batch) for batch in batches])
    return before, np.concatenate([network.logits(batch) for batch in batches])


def _checkpoint_logits(checkpoint: Checkpoint, pixels: _Pixels) -> _Logits:
    """At their own size, which may be another than that of the preprocessing."""
    device = next(checkpoint.model.parameters()).device
    images = normalize(torch.from_numpy(pixels).to(device), checkpoint.preprocess)
    with torch.inference_mode():
        logits: _Logits = checkpoint.model.eval()(images).float().cpu().numpy()
    return logits


def _resized(pixels: _Pixels, size: tuple[int, int]) -> UInt8[np.ndarray, "some channels rows columns"]:
    some = torch.from_numpy(pixels[:OTHER_SIZE_IMAGES])
    return np.asarray(functional.interpolate(some, size, mode="bilinear", antialias=True))
