"""Heat maps of an exported network: from its class maps, or by occlusion; no gradients leave a runtime."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from verydeep.data.normalize import fit_to_input, normalize
from verydeep.errors import ArchitectureError
from verydeep.explain.heat_maps import HeatMap, Method, class_labels, scaled_to_maximum
from verydeep.explain.occlusion import occlusion
from verydeep.models.build import build_empty
from verydeep.models.feature_steps import last_map_name
from verydeep.runtime.bundle import CLASS_MAPS, LOGITS
from verydeep.runtime.exported_network import ExportedNetwork


def exported_heat_maps(
    network: ExportedNetwork,
    pixels: UInt8[Tensor, "count channels height width"],
    classes: Sequence[str] | None = None,
    method: str = "grad-cam",
    *,
    layer: str | None = None,
) -> tuple[HeatMap, ...]:
    """As ``heat_maps``, for an exported network.

    Where the head is linear after a global average pool, ``grad-cam`` is exact on the last feature map: its
    weights are those of the head (Zhou et al. 2016, section 2; Selvaraju et al. 2017, section 3.1). For other
    heads ``grad-cam`` becomes ``occlusion``.

    Raises:
        ArchitectureError: if ``method`` needs gradients, or a layer is named.
        DataError: if the network has no such class.
    """
    chosen = _method(network, method, layer)
    pixels = fit_to_input(pixels, network.preprocess)
    names = (LOGITS, CLASS_MAPS) if chosen == "grad-cam" else (LOGITS,)
    logits, *maps = map(torch.from_numpy, network.outputs(pixels.numpy(), *names))
    probabilities = (logits / network.description.temperature).softmax(1)
    confidences, predicted = probabilities.max(1)
    labels = predicted if classes is None else class_labels(network.description, classes, len(pixels))
    if chosen == "grad-cam":
        heat = _class_map_heat(maps[0], labels, network.preprocess.size)
        layer = last_map_name(build_empty(network.description.architecture))
    else:
        images = normalize(pixels, network.preprocess)
        heat = occlusion(partial(_logits, network), images, labels).relu()
    heat = scaled_to_maximum(heat)
    return tuple(
        HeatMap(
            pixels=pixels[index],
            heat=heat[index],
            label=network.classes[label],
            probability=float(probabilities[index, label]),
            predicted=network.classes[int(predicted[index])],
            confidence=float(confidences[index]),
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


def _logits(
    network: ExportedNetwork, images: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch classes"]:
    (logits,) = network.session.run(images.numpy(), [LOGITS])
    return torch.from_numpy(logits)


def _class_map_heat(
    maps: Float[Tensor, "batch classes rows columns"], labels: Int64[Tensor, " batch"], size: int
) -> Float[Tensor, "batch size size"]:
    """The positive evidence for ``labels`` at each pixel of images of ``size`` px."""
    chosen = maps[torch.arange(len(labels)), labels][:, None].relu()
    return functional.interpolate(chosen, (size, size), mode="bilinear")[:, 0]
