"""What a server computes with a network: functions of a batch of decoded images, whatever computes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from verydeep.decoding.normalize import normalize_pixels
from verydeep.explain.exported_heat_maps import heat_from_class_maps
from verydeep.explain.occlusion_windows import Window, cover
from verydeep.prediction.network import Network
from verydeep.runtime.bundle import CLASS_MAPS, LOGITS
from verydeep.runtime.exported_network import ExportedNetwork, Pixels

ImagePixels = UInt8[np.ndarray, "channels height width"]
Logits = Float32[np.ndarray, "images classes"]
Vectors = Float32[np.ndarray, "batch values"]
Explained = tuple[Float32[np.ndarray, " classes"], Float32[np.ndarray, "height width"]]
"""Logits, and the heat map of the predicted class, from 0 to 1."""


@dataclass(frozen=True)
class ServedNetwork:
    """A network with the functions that requests ask for."""

    network: Network
    embed: Callable[[Pixels], Vectors]
    """The last feature map of each image, averaged over its positions."""
    explain: Callable[[Pixels], Sequence[Explained]] | None
    """Grad-CAM; None for an exported network without class maps."""
    covered_logits: Callable[[ImagePixels, Sequence[Window]], Logits]
    """The logits of a decoded image under each of some windows, for occlusion."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """More about the network, for JSON."""


def served_from_exported(network: ExportedNetwork) -> ServedNetwork:
    """The functions of an exported network."""
    bundle = network.bundle

    def explain(pixels: Pixels) -> Sequence[Explained]:
        logits, class_maps = network.outputs(pixels, LOGITS, CLASS_MAPS)
        maps = class_maps[np.arange(len(pixels)), logits.argmax(1)]
        return list(zip(logits, (heat_from_class_maps(each, pixels.shape[2:]) for each in maps), strict=True))

    def covered_logits(pixels: ImagePixels, windows: Sequence[Window]) -> Logits:
        (image,) = normalize_pixels(pixels[None], network.preprocess)
        (logits,) = network.session.run(cover(image, windows), [LOGITS])
        return logits

    return ServedNetwork(
        network,
        network.embedding,
        explain if CLASS_MAPS in bundle.export.outputs else None,
        covered_logits,
        {
            "name": bundle.architecture.name,
            "architecture": bundle.architecture.string,
            "format": bundle.export.format,
            "precision": bundle.export.precision,
            "runtime": network.runtime,
        },
    )
