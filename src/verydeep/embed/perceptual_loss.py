"""Perceptual loss and style loss: images compared by the features of a trained network, not pixel by pixel.

phi_l(x) is the feature map of layer l for the image x, with C channels and H x W positions:

perceptual   sum over l of w_l / (C H W) * |phi_l(x) - phi_l(y)|^2          Johnson et al. 2016, eq. 2
Gram matrix  G_l(x)[c, d] = 1 / (C H W) * sum over positions of phi_l(x)[c] phi_l(x)[d]          eq. 3
style        sum over l of w_l * |G_l(x) - G_l(y)|^2, Frobenius norm                             eq. 4

E_l of Gatys et al. 2016 (eq. 4) is a quarter of such a term. The losses are means over the batch.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import standardize
from verydeep.errors import ArchitectureError, DataError, ShapeError
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.feature_extractor import taps

PERCEPTUAL_LAYERS = ("relu2_2",)
"""The layer of VGG16 in Johnson et al. 2016, for style transfer (section 4.1) and super-resolution (4.2).

Their released code uses ``relu3_3`` for style transfer.
"""
STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
"""The style layers of VGG16 in Johnson et al. 2016 (section 4.1)."""

Layers = str | Sequence[str] | Mapping[str, float]
"""Layer names, or layer names with weights; the default weight is 1."""


class FeatureLoss(nn.Module):
    """Base of both losses: a frozen copy of the required layers of a network, always in evaluation mode.

    Args:
        network: a checkpoint, such as the result of ``verydeep.load``, or a model; it is not changed.
        layers: layer names of ``verydeep.taps`` to compare: one, several, or a weight for each.
        preprocess: the normalization of the network's images; required with a model.

    Raises:
        ArchitectureError: if the network has no such layer, or a model is given without its preprocessing.
    """

    def __init__(
        self, network: Classifier | Checkpoint, layers: Layers, *, preprocess: Preprocess | None = None
    ) -> None:
        super().__init__()
        model = network if isinstance(network, Classifier) else network.model
        self.preprocess = preprocess or _preprocess(network)
        self.layers = _weights(layers)
        """The weight of each layer."""
        self.extractor = deepcopy(taps(model, tuple(self.layers))).requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> "FeatureLoss":
        """No effect: the loss would be random with dropout or batch norm in training mode."""
        return super().train(False)

    def maps(self, images: Shaped[Tensor, "..."], name: str = "images") -> dict[str, Tensor]:
        """The feature maps of each layer for ``images``, (batch, channels, height, width) from 0 to 1.

        Raises:
            ShapeError: if they are not a batch of images, or too small for the layers.
            DataError: if they are integers, or have values outside [0, 1]; the message calls them ``name``.
        """
        _check_images(images, self.preprocess.channels, name)
        maps: dict[str, Tensor] = self.extractor(standardize(images, self.preprocess))
        return maps


class PerceptualLoss(FeatureLoss):
    """The distance between the features of two batches of images; 0 if their features are equal.

    Johnson et al. 2016, eq. 2. ``FeatureLoss`` documents the arguments.
    """

    def __init__(
        self,
        network: Classifier | Checkpoint,
        layers: Layers = PERCEPTUAL_LAYERS,
        *,
        preprocess: Preprocess | None = None,
    ) -> None:
        super().__init__(network, layers, preprocess=preprocess)

    def forward(self, images: Shaped[Tensor, "..."], targets: Shaped[Tensor, "..."]) -> Float[Tensor, ""]:
        """The loss, averaged over the batch; both are (batch, channels, height, width), RGB from 0 to 1.

        Raises:
            ShapeError: if the two differ in shape, or do not fit the network.
            DataError: if values are not from 0 to 1.
        """
        if images.shape != targets.shape:
            raise ShapeError(
                f"images are {tuple(images.shape)} and targets {tuple(targets.shape)}; "
                "a perceptual loss compares them position by position: resize or crop one of them"
            )
        maps, target_maps = self.maps(images), self.maps(targets, "targets")
        terms = [
            weight * functional.mse_loss(maps[name], target_maps[name])
            for name, weight in self.layers.items()
        ]
        return torch.stack(terms).sum()


class StyleLoss(FeatureLoss):
    """The distance between the textures of two batches of images, by Gram matrices, independent of position.

    Johnson et al. 2016, eq. 4, after Gatys et al. 2016. ``FeatureLoss`` documents the arguments.
    """

    def __init__(
        self,
        network: Classifier | Checkpoint,
        layers: Layers = STYLE_LAYERS,
        *,
        preprocess: Preprocess | None = None,
    ) -> None:
        super().__init__(network, layers, preprocess=preprocess)

    def forward(self, images: Shaped[Tensor, "..."], targets: Shaped[Tensor, "..."]) -> Float[Tensor, ""]:
        """The loss, averaged over the batch; both are (batch, channels, height, width), RGB from 0 to 1.

        The targets may have another size. One target may be used for the whole batch.

        Raises:
            ShapeError: if the two differ in number, or do not fit the network.
            DataError: if values are not from 0 to 1.
        """
        maps, target_maps = self.maps(images), self.maps(targets, "targets")
        if len(targets) not in (1, len(images)):
            raise ShapeError(
                f"{len(images)} images have {len(targets)} targets; give one target per image, or one for all"
            )
        terms = [
            weight * (gram(maps[name]) - gram(target_maps[name])).square().sum((1, 2)).mean()
            for name, weight in self.layers.items()
        ]
        return torch.stack(terms).sum()


def perceptual_loss(
    network: Classifier | Checkpoint,
    images: Shaped[Tensor, "..."],
    targets: Shaped[Tensor, "..."],
    layers: Layers = PERCEPTUAL_LAYERS,
    *,
    preprocess: Preprocess | None = None,
) -> Float[Tensor, ""]:
    """``PerceptualLoss`` as a metric. In a training loop, create the module once instead."""
    return PerceptualLoss(network, layers, preprocess=preprocess).forward(images, targets)


def style_loss(
    network: Classifier | Checkpoint,
    images: Shaped[Tensor, "..."],
    targets: Shaped[Tensor, "..."],
    layers: Layers = STYLE_LAYERS,
    *,
    preprocess: Preprocess | None = None,
) -> Float[Tensor, ""]:
    """``StyleLoss`` as a metric. In a training loop, create the module once instead."""
    return StyleLoss(network, layers, preprocess=preprocess).forward(images, targets)


def gram(maps: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch channels channels"]:
    """The Gram matrix: correlations of channels, summed over positions (eq. 3), in fp32 or finer."""
    with torch.autocast(maps.device.type, enabled=False):  # a sum over 50,000 positions overflows fp16
        values = maps.flatten(2).to(torch.promote_types(maps.dtype, torch.float32))
        return values @ values.mT / values[0].numel()


def _preprocess(network: Classifier | Checkpoint) -> Preprocess:
    if isinstance(network, Classifier):
        raise ArchitectureError(
            f"the model {network.architecture.name} has no preprocessing. Give the checkpoint of `load`, or "
            "preprocess=..., such as verydeep.architecture.preprocess.IMAGENET for torchvision's weights"
        )
    return network.preprocess


def _weights(layers: Layers) -> dict[str, float]:
    if isinstance(layers, Mapping):
        return dict(layers)
    return dict.fromkeys([layers] if isinstance(layers, str) else layers, 1.0)


def _check_images(images: Tensor, channels: int, name: str) -> None:
    if images.ndim != 4 or images.shape[1] != channels:
        raise ShapeError(
            f"{name} are {tuple(images.shape)}; expected (batch, {channels}, height, width): "
            f"{'RGB' if channels == 3 else 'gray'}, channels first; use images[None] for a single image"
        )
    if not images.is_floating_point():
        raise DataError(f"{name} are of type {images.dtype}; expected floats from 0 to 1: {name} / 255")
    low, high = (float(value) for value in images.detach().aminmax())
    if not (low >= 0 and high <= 1):  # also true for NaN
        raise DataError(
            f"{name} have values from {low:.4g} to {high:.4g}; expected 0 to 1, not normalized: the loss "
            "normalizes them. Divide 0 to 255 by 255; apply sigmoid() or clamp(0, 1) to a network's output"
        )
