"""Heat maps: the evidence for a class at each pixel of an image, by any of five methods, from 0 to 1."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from verydeep.data.normalize import fit_to_input, normalize
from verydeep.errors import ArchitectureError, DataError
from verydeep.explain.grad_cam import Heat, grad_cam, grad_cam_plus_plus
from verydeep.explain.heat_map import METHODS, HeatMap, Method, class_labels
from verydeep.explain.integrated_gradients import integrated_gradients, smooth_grad
from verydeep.explain.occlusion import occlusion
from verydeep.explain.targets import receptive_field_of
from verydeep.models.blocks import Images
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_steps import last_unpooled_name
from verydeep.probabilities import require_finite

LAYER_METHODS: frozenset[Method] = frozenset({"grad-cam", "grad-cam++"})
"""Methods that use the feature map of one layer; the others use the pixels."""

BATCH_PIXELS = 400_000
"""The most pixels in a batch, 8 images of 224 px: gradients of VGG16 need 1,800 bytes per pixel."""
CLIP_QUANTILE = 0.99
"""In a map of single pixels, heat above this quantile is clipped to 1 (Smilkov et al. 2017)."""


def heat_maps(
    checkpoint: Checkpoint,
    pixels: UInt8[Tensor, "count channels height width"],
    classes: Sequence[str] | None = None,
    method: str = "grad-cam",
    *,
    layer: str | None = None,
) -> tuple[HeatMap, ...]:
    """One heat map per image: the evidence for its class in ``classes``, or for the predicted class.

    Grad-CAM and Grad-CAM++ show the evidence in the feature map of a layer, in the resolution of that map.
    Occlusion shows how much the prediction drops when a part is covered. Integrated gradients show the
    contribution of each pixel relative to a black image. SmoothGrad shows the influence of each pixel, for or
    against the class. Images come to the input size as in ``predict`` and are computed in batches. The model
    keeps its training or evaluation mode.

    Args:
        checkpoint: the result of ``verydeep.load``.
        pixels: 0 to 255, in gray or RGB order, on any device.
        classes: one class name per image; by default the predicted classes.
        method: one of ``METHODS``.
        layer: for Grad-CAM and Grad-CAM++, a layer name of ``verydeep.taps``; by default the last feature map
            before the last pool, ``relu5_3`` in VGG16.

    Raises:
        ArchitectureError: if there is no such method or layer, or the layer has no feature map.
        DataError: if the network has no such class, or no classes at all, or a logit is NaN or infinite.
    """
    known_method, layer = _check(checkpoint, method, layer)
    labels = None
    if classes is not None:
        labels = torch.from_numpy(class_labels(checkpoint.description, classes, len(pixels)))
    batch_size = max(1, BATCH_PIXELS // checkpoint.preprocess.size**2)
    was_training = checkpoint.model.training
    checkpoint.model.eval()
    try:
        result: list[HeatMap] = []
        for start in range(0, len(pixels), batch_size):
            batch = slice(start, start + batch_size)
            request = _Request(known_method, layer, None if labels is None else labels[batch], batch_size)
            result += _explain_batch(checkpoint, pixels[batch], request)
    finally:
        checkpoint.model.train(was_training)
    return tuple(result)


@dataclass(frozen=True)
class _Request:
    """The method and the classes of a batch."""

    method: Method
    layer: str | None
    labels: Int64[Tensor, " batch"] | None
    """None for the predicted classes."""
    batch_size: int


def _check(checkpoint: Checkpoint, name: str, layer: str | None) -> tuple[Method, str | None]:
    """The method, and its layer; None if the method uses the pixels."""
    method = next((known for known in METHODS if known == name), None)
    if method is None:
        raise ArchitectureError(f"there is no method {name!r}; the methods are {', '.join(METHODS)}")
    if not checkpoint.classes:
        raise DataError(
            f"{checkpoint.model.architecture.name} has no classes to explain: it is a feature extractor. "
            "Train a head on its features, or show its filters and strongest patches"
        )
    if method in LAYER_METHODS:
        layer = layer or last_unpooled_name(checkpoint.model)
        receptive_field_of(checkpoint.model, layer)  # raises if the layer has no feature map
    elif layer is not None:
        raise ArchitectureError(f"{method} uses no layer; {layer!r} is valid for grad-cam and grad-cam++")
    return method, layer


def _explain_batch(
    checkpoint: Checkpoint, pixels: UInt8[Tensor, "batch channels height width"], request: _Request
) -> Iterator[HeatMap]:
    device = next(checkpoint.model.parameters()).device
    pixels = fit_to_input(pixels.to(device), checkpoint.preprocess)
    images = normalize(pixels, checkpoint.preprocess)
    with torch.no_grad():
        logits = checkpoint.model(images)
    require_finite(logits.float().cpu().numpy())
    probabilities = (logits / checkpoint.temperature).softmax(1)
    confidences, predicted = probabilities.max(1)
    labels = predicted if request.labels is None else request.labels.to(device)
    heat = _heat(checkpoint, images, labels, request).float().cpu().numpy()
    for index, label in enumerate(labels.tolist()):
        yield HeatMap(
            pixels=pixels[index].cpu().numpy(),
            heat=heat[index],
            label=checkpoint.classes[label],
            probability=float(probabilities[index, label]),
            predicted=checkpoint.classes[int(predicted[index])],
            confidence=float(confidences[index]),
            method=request.method,
            layer=request.layer,
        )


def _heat(checkpoint: Checkpoint, images: Images, labels: Int64[Tensor, " batch"], request: _Request) -> Heat:
    """The heat of each image, from 0 to 1, in the size of ``images``."""
    model, size = checkpoint.model, request.batch_size
    match request.method:
        case "grad-cam" | "grad-cam++" if request.layer:
            method = grad_cam if request.method == "grad-cam" else grad_cam_plus_plus
            coarse = method(model, images, labels, request.layer)[:, None]
            heat = functional.interpolate(coarse, images.shape[2:], mode="bilinear")[:, 0]
            return _scaled_to_maximum(heat)
        case "occlusion":
            heat = occlusion(model, images, labels, batch_size=size).relu()
            return _scaled_to_maximum(heat)
        case "integrated-gradients":
            black = normalize(torch.zeros_like(images, dtype=torch.uint8), checkpoint.preprocess)
            contributions = integrated_gradients(model, images, labels, black, batch_size=size)
            return _clip(contributions.sum(1).relu())
        case _:
            return _clip(smooth_grad(model, images, labels, batch_size=size).abs().sum(1))


def _clip(heat: Heat) -> Heat:
    """``heat`` of single pixels, clipped at a quantile: otherwise a few outliers make all others dark."""
    maximum = heat.flatten(1).quantile(CLIP_QUANTILE, dim=1)
    return _scale(heat, torch.where(maximum > 0, maximum, heat.amax((1, 2))))


def _scaled_to_maximum(heat: Heat) -> Heat:
    """``heat`` of each image divided by its maximum; a map without heat stays 0."""
    return _scale(heat, heat.amax((1, 2)))


def _scale(heat: Heat, maximum: Float[Tensor, " batch"]) -> Heat:
    """``heat`` divided by ``maximum`` and clipped to 1; a map without heat stays 0."""
    smallest = torch.finfo(heat.dtype).tiny
    return (heat / maximum.clamp_min(smallest)[:, None, None]).clamp(max=1)
