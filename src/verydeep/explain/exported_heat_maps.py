"""Heat maps of an exported network, without torch: from its class maps, or by occlusion.

No gradients leave a runtime.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int64, UInt8
from PIL import Image

from verydeep.architecture.layer_names import last_map_name
from verydeep.decoding.normalize import normalize_pixels
from verydeep.errors import ArchitectureError
from verydeep.explain.heat_map import HeatMap, Method, class_labels
from verydeep.explain.occlusion_windows import cover, mean_over_windows, occlusion_windows
from verydeep.probabilities import require_finite, softmax
from verydeep.runtime.bundle import CLASS_MAPS, LOGITS
from verydeep.runtime.exported_network import ExportedNetwork

BATCH_SIZE = 8
"""Covered images per batch."""

_Logits = Float32[np.ndarray, "batch classes"]
_Heat = Float32[np.ndarray, "height width"]


def exported_heat_maps(
    network: ExportedNetwork,
    pixels: UInt8[np.ndarray, "count channels size size"],
    classes: Sequence[str] | None = None,
    method: str = "grad-cam",
    *,
    layer: str | None = None,
) -> tuple[HeatMap, ...]:
    """As ``heat_maps``, for an exported network and images of its input size.

    Where the head is linear after a global average pool, ``grad-cam`` is exact on the last feature map: its
    weights are those of the head (Zhou et al. 2016, section 2; Selvaraju et al. 2017, section 3.1). For other
    heads ``grad-cam`` becomes ``occlusion``.

    Raises:
        ArchitectureError: if ``method`` needs gradients, or a layer is named.
        DataError: if the network has no such class, or a logit is NaN or infinite.
    """
    chosen = _method(network, method, layer)
    names = (LOGITS, CLASS_MAPS) if chosen == "grad-cam" else (LOGITS,)
    logits, *maps = network.outputs(pixels, *names)
    require_finite(logits)
    probabilities = softmax(logits / network.description.temperature)
    predicted = probabilities.argmax(1)
    labels = predicted if classes is None else class_labels(network.description, classes, len(pixels))
    if chosen == "grad-cam":
        chosen_maps = maps[0][np.arange(len(labels)), labels]
        heats = [heat_from_class_maps(each, pixels.shape[2:]) for each in chosen_maps]
        layer = last_map_name(network.description.architecture)
    else:
        heats = _occlusion(network, pixels, labels)
    return tuple(
        HeatMap(
            pixels=pixels[index],
            heat=heats[index],
            label=network.classes[label],
            probability=float(probabilities[index, label]),
            predicted=network.classes[predicted[index]],
            confidence=float(probabilities[index, predicted[index]]),
            method=chosen,
            layer=layer,
        )
        for index, label in enumerate(labels.tolist())
    )


def _method(network: ExportedNetwork, name: str, layer: str | None) -> Method:
    if layer is not None or name not in ("grad-cam", "occlusion"):
        given = f"the layer {layer}" if layer is not None else f"the method {name}"
        raise ArchitectureError(
            f"{network.bundle.path} is an exported network without gradients and inner layers: {given} is "
            "for the run that it was exported from. Exported networks have grad-cam and occlusion"
        )
    has_class_maps = CLASS_MAPS in network.bundle.export.outputs
    return "grad-cam" if name == "grad-cam" and has_class_maps else "occlusion"


def _log_softmax(logits: _Logits) -> _Logits:
    shifted = logits - logits.max(1, keepdims=True)
    result: _Logits = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return result


def heat_from_class_maps(evidence: Float32[np.ndarray, "rows columns"], size: tuple[int, ...]) -> _Heat:
    """The positive evidence for a class, resized to ``size``, in [0, 1] relative to its maximum.

    For a linear head after a global average pool, this is Grad-CAM (Selvaraju et al. 2017, appendix A).
    """
    height, width = size
    resized = Image.fromarray(np.maximum(evidence, 0)).resize((width, height), Image.Resampling.BILINEAR)
    return _scaled_to_maximum(np.array(resized))


def _scaled_to_maximum(heat: _Heat) -> _Heat:
    scaled: _Heat = heat / np.maximum(heat.max(), np.finfo(np.float32).tiny)
    return scaled


def _occlusion(
    network: ExportedNetwork,
    pixels: UInt8[np.ndarray, "count channels size size"],
    labels: Int64[np.ndarray, " count"],
) -> list[_Heat]:
    """As ``occlusion``: the drop in log-probability where a part is covered, here of positive sign only."""
    images = normalize_pixels(pixels, network.preprocess)
    return [_occlude(network, image, label) for image, label in zip(images, labels.tolist(), strict=True)]


def _occlude(
    network: ExportedNetwork, image: Float32[np.ndarray, "channels height width"], label: int
) -> _Heat:
    def logits(images: Float32[np.ndarray, "batch channels height width"]) -> _Logits:
        (logits,) = network.session.run(images, [LOGITS])
        return logits

    _, height, width = image.shape
    windows = occlusion_windows(height, width)
    starts = range(0, len(windows), BATCH_SIZE)
    covered = [logits(cover(image, windows[start : start + BATCH_SIZE])) for start in starts]
    return heat_from_covered(logits(image[None])[0], np.concatenate(covered), label, (height, width))


def heat_from_covered(
    logits: Float32[np.ndarray, " classes"],
    covered: Float32[np.ndarray, "windows classes"],
    label: int,
    size: tuple[int, int],
) -> _Heat:
    """The drop in the log-probability of ``label``, where there is one, in [0, 1] relative to its maximum.

    Args:
        logits: of an image of ``size``.
        covered: its logits under each of the default windows.
        label: the index of a class.
        size: height and width of the image.
    """
    drops = _log_softmax(logits[None])[0, label] - _log_softmax(covered)[:, label]
    return _scaled_to_maximum(np.maximum(mean_over_windows(drops, occlusion_windows(*size), size), 0))
