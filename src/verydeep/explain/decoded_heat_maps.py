"""Heat maps of a checkpoint for images that were decoded without torch."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8

from verydeep.explain.heat_map import HeatMap
from verydeep.explain.heat_maps import heat_maps
from verydeep.models.checkpoint import Checkpoint


def decoded_heat_maps(
    checkpoint: Checkpoint,
    pixels: UInt8[np.ndarray, "count channels size size"],
    classes: Sequence[str] | None = None,
    method: str = "grad-cam",
    *,
    layer: str | None = None,
) -> tuple[HeatMap, ...]:
    """As ``heat_maps``, of arrays."""
    return heat_maps(checkpoint, torch.from_numpy(pixels), classes, method, layer=layer)
