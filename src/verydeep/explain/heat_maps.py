"""Heat maps: what in an image spoke for a class, whatever the method, from 0 to 1 at the image's size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from verydeep.data.normalize import normalize, resize_and_crop
from verydeep.errors import ArchitectureError, DataError
from verydeep.explain.grad_cam import Heat, grad_cam, grad_cam_plus_plus
from verydeep.explain.integrated_gradients import integrated_gradients, smooth_grad
from verydeep.explain.occlusion import occlusion
from verydeep.explain.targets import class_place, field_of
from verydeep.models.blocks import Images
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_steps import last_unpooled_name
from verydeep.models.temperature import temperature_of

Method = Literal["grad-cam", "grad-cam++", "occlusion", "integrated-gradients", "smoothgrad"]
METHODS: tuple[Method, ...] = get_args(Method)
OF_A_LAYER: frozenset[Method] = frozenset({"grad-cam", "grad-cam++"})
"""Methods that look at one layer; the others look at the image."""

BATCH_PIXELS = 400_000
"""Of a batch, at most, 8 images of 224 px: what a gradient keeps of VGG16 takes 1,800 bytes for each."""
CAP = 0.99
"""Of a map of single pixels, the part that is told apart; above it all is 1 (Smilkov et al. 2017)."""


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """One image, one class, and where in the image the network saw it."""

    pixels: UInt8[Tensor, "channels size size"]
    """What the network saw, before it was normalized."""
    heat: Float32[Tensor, "size size"]
    """From 0 to 1, the most that there is in this image; 0 everywhere where nothing spoke for the class."""
    label: str
    """The class that was asked about."""
    probability: float
    """What the network gives it, in [0, 1]."""
    predicted: str
    """The top_classes class."""
    confidence: float
    """What the network gives that one, in [0, 1]."""
    method: Method
    layer: str | None
    """Whose map it is; None where the method looks at the image itself."""


def heat_maps(
    network: Checkpoint,
    pixels: UInt8[Tensor, "count channels height width"],
    classes: Sequence[str] | None = None,
    method: str = "grad-cam",
    *,
    layer: str | None = None,
) -> tuple[HeatMap, ...]:
    """A heat map an image for ``classes``, one name each; for the predicted ones by default.

    Grad-CAM and Grad-CAM++ show what in the layer's map spoke for the class, at the coarseness of that map;
    occlusion what is missed when covered; integrated gradients what each pixel added, starting from black;
    SmoothGrad how much each pixel matters, for or against. Images are resized and cropped as ``predict``
    does it, computed a batch at a time, and the model is left in the mode in which it came.

    Args:
        network: what ``verydeep.load`` gave.
        pixels: 0 to 255, in gray or RGB order, on any device.
        classes: the name of a class for each image.
        method: one of ``METHODS``.
        layer: for Grad-CAM and Grad-CAM++, by the names of ``verydeep.taps``; the last map before a closing
            pool by default, ``relu5_3`` in VGG16.

    Raises:
        ArchitectureError: where there is no such method or layer, or the layer gives no map.
        DataError: where the network has no such class, or no classes at all.
    """
    known, layer = _check(network, method, layer)
    labels = None if classes is None else _labels(network, classes, len(pixels))
    batch_size = max(1, BATCH_PIXELS // network.preprocess.size**2)
    was_training = network.model.training
    network.model.eval()
    try:
        found: list[HeatMap] = []
        for start in range(0, len(pixels), batch_size):
            batch = slice(start, start + batch_size)
            asked = _Asked(known, layer, None if labels is None else labels[batch], batch_size)
            found += _of_batch(network, pixels[batch], asked)
    finally:
        network.model.train(was_training)
    return tuple(found)


@dataclass(frozen=True)
class _Asked:
    """What is wanted of a batch."""

    method: Method
    layer: str | None
    labels: Int64[Tensor, " batch"] | None
    """None for the predicted ones."""
    batch_size: int


def _check(network: Checkpoint, asked: str, layer: str | None) -> tuple[Method, str | None]:
    """The method, and the layer to look at; None where the method looks at the image."""
    method = next((known for known in METHODS if known == asked), None)
    if method is None:
        raise ArchitectureError(f"there is no method {asked!r}; there are {', '.join(METHODS)}")
    if not network.classes:
        raise DataError(
            f"{network.model.architecture.name} has no classes that an image could speak for: only its "
            "features are trained. Train a head on them; or look at its filters and strongest patches"
        )
    if method in OF_A_LAYER:
        layer = layer or last_unpooled_name(network.model)
        field_of(network.model, layer)  # refuses what gives no map
    elif layer is not None:
        raise ArchitectureError(f"{method} looks at the image and at no layer; {layer!r} goes with grad-cam")
    return method, layer


def _labels(network: Checkpoint, classes: Sequence[str], count: int) -> Int64[Tensor, " count"]:
    if isinstance(classes, str) or len(classes) != count:
        raise DataError(f"{count} images are given with the classes {classes!r}; expected one name each")
    return torch.tensor([class_place(network, name) for name in classes])


def _of_batch(
    network: Checkpoint, pixels: UInt8[Tensor, "batch channels height width"], asked: _Asked
) -> Iterator[HeatMap]:
    device = next(network.model.parameters()).device
    pixels = resize_and_crop(pixels.to(device), network.preprocess)
    images = normalize(pixels, network.preprocess)
    with torch.no_grad():
        probabilities = (network.model(images) / temperature_of(network.origin)).softmax(1)
    confidences, predicted = probabilities.max(1)
    labels = predicted if asked.labels is None else asked.labels.to(device)
    heat = _heat(network, images, labels, asked).float().cpu()
    for place, label in enumerate(labels.tolist()):
        yield HeatMap(
            pixels=pixels[place].cpu(),
            heat=heat[place],
            label=network.classes[label],
            probability=float(probabilities[place, label]),
            predicted=network.classes[int(predicted[place])],
            confidence=float(confidences[place]),
            method=asked.method,
            layer=asked.layer,
        )


def _heat(network: Checkpoint, images: Images, labels: Int64[Tensor, " batch"], asked: _Asked) -> Heat:
    """From 0 to 1 at the size of ``images``."""
    model, size = network.model, asked.batch_size
    match asked.method:
        case "grad-cam" | "grad-cam++" if asked.layer:
            way = grad_cam if asked.method == "grad-cam" else grad_cam_plus_plus
            coarse = way(model, images, labels, asked.layer)[:, None]
            heat = functional.interpolate(coarse, images.shape[2:], mode="bilinear")[:, 0]
            return _scaled(heat, heat.amax((1, 2)))
        case "occlusion":
            heat = occlusion(model, images, labels, batch_size=size).relu()
            return _scaled(heat, heat.amax((1, 2)))
        case "integrated-gradients":
            black = normalize(torch.zeros_like(images, dtype=torch.uint8), network.preprocess)
            parts = integrated_gradients(model, images, labels, black, batch_size=size)
            return _capped(parts.sum(1).relu())
        case _:
            return _capped(smooth_grad(model, images, labels, batch_size=size).abs().sum(1))


def _capped(heat: Heat) -> Heat:
    """``heat`` of single pixels, of which a few would leave all others dark."""
    most = heat.flatten(1).quantile(CAP, dim=1)
    return _scaled(heat, torch.where(most > 0, most, heat.amax((1, 2))))


def _scaled(heat: Heat, most: Float[Tensor, " batch"]) -> Heat:
    """``most`` becomes 1, and what is above it too; a map without heat stays 0."""
    least = torch.finfo(heat.dtype).tiny
    return (heat / most.clamp_min(least)[:, None, None]).clamp(max=1)
