"""Losses that compare images by what a trained network sees in them, not pixel by pixel.

phi_l(x) are the maps of layer l, of C channels and H x W places, for the image x:

perceptual   sum over l of w_l / (C H W) * |phi_l(x) - phi_l(y)|^2          Johnson et al. 2016, eq. 2
Gram matrix  G_l(x)[c, d] = 1 / (C H W) * sum over places of phi_l(x)[c] phi_l(x)[d]             eq. 3
style        sum over l of w_l * |G_l(x) - G_l(y)|^2, Frobenius norm                             eq. 4

The E_l of Gatys et al. 2016 (eq. 4) is a quarter of such a term. The mean over the batch is taken.
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
"""What Johnson et al. 2016 reconstruct in VGG16, for style (section 4.1) and for super-resolution (4.2).

The code that they released takes ``relu3_3`` for style.
"""
STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
"""What Johnson et al. 2016 take the style from in VGG16 (section 4.1)."""

Layers = str | Sequence[str] | Mapping[str, float]
"""Names of layers, or each with its weight; a name alone weighs 1."""


class FeatureLoss(nn.Module):
    """What both losses share: the part of a network that is needed, copied, frozen, and always in eval.

    Args:
        network: what ``verydeep.load`` gave, or a model alone; it stays as it is.
        layers: which to compare, by the names of ``verydeep.taps``: one, several, or each with its weight.
        preprocess: how the network's images are normalized; a model alone does not say.

    Raises:
        ArchitectureError: where the network has no such layer, or a model comes without its preprocessing.
    """

    def __init__(
        self, network: Classifier | Checkpoint, layers: Layers, *, preprocess: Preprocess | None = None
    ) -> None:
        super().__init__()
        model = network if isinstance(network, Classifier) else network.model
        self.preprocess = preprocess or _preprocess(network)
        self.layers = _weights(layers)
        """Each layer with its weight."""
        self.taps = deepcopy(taps(model, tuple(self.layers))).requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> "FeatureLoss":
        """Nothing changes: a norm or a dropout in training mode would give another loss each time."""
        return super().train(False)

    def maps(self, images: Shaped[Tensor, "..."], what: str = "images") -> dict[str, Tensor]:
        """The maps of each layer for ``images``, (batch, channels, height, width) from 0 to 1.

        Raises:
            ShapeError: where they are no batch of images, or too small for the layers.
            DataError: where they hold whole numbers, or values outside [0, 1]; ``what`` names them.
        """
        _check_images(images, self.preprocess.channels, what)
        found: dict[str, Tensor] = self.taps(standardize(images, self.preprocess))
        return found


class PerceptualLoss(FeatureLoss):
    """How differently a network sees two batches of images: 0 where they are alike to it.

    Johnson et al. 2016, eq. 2; see ``FeatureLoss`` for the arguments.
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
            ShapeError: where the two differ in shape, or do not fit the network.
            DataError: where they are not from 0 to 1.
        """
        if images.shape != targets.shape:
            raise ShapeError(
                f"images are {tuple(images.shape)} and targets {tuple(targets.shape)}; "
                "a perceptual loss compares them place by place: resize or crop one of them"
            )
        ours, theirs = self.maps(images), self.maps(targets, "targets")
        terms = [
            weight * functional.mse_loss(ours[name], theirs[name]) for name, weight in self.layers.items()
        ]
        return torch.stack(terms).sum()


class StyleLoss(FeatureLoss):
    """How differently a network sees the textures of two batches of images, wherever they lie.

    Johnson et al. 2016, eq. 4, after Gatys et al. 2016; see ``FeatureLoss`` for the arguments.
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

        The targets may have another size, and be one for the whole batch.

        Raises:
            ShapeError: where the two differ in number, or do not fit the network.
            DataError: where they are not from 0 to 1.
        """
        ours, theirs = self.maps(images), self.maps(targets, "targets")
        if len(targets) not in (1, len(images)):
            raise ShapeError(
                f"{len(images)} images have {len(targets)} targets; give one each, or one for all"
            )
        terms = [
            weight * (gram(ours[name]) - gram(theirs[name])).square().sum((1, 2)).mean()
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
    """``PerceptualLoss`` once, as a measure; in a training loop make the class once and call it."""
    return PerceptualLoss(network, layers, preprocess=preprocess).forward(images, targets)


def style_loss(
    network: Classifier | Checkpoint,
    images: Shaped[Tensor, "..."],
    targets: Shaped[Tensor, "..."],
    layers: Layers = STYLE_LAYERS,
    *,
    preprocess: Preprocess | None = None,
) -> Float[Tensor, ""]:
    """``StyleLoss`` once, as a measure; in a training loop make the class once and call it."""
    return StyleLoss(network, layers, preprocess=preprocess).forward(images, targets)


def gram(maps: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch channels channels"]:
    """Which channels speak together, whatever the place: eq. 3, in fp32 at least."""
    with torch.autocast(maps.device.type, enabled=False):  # a sum over 50,000 places overflows fp16
        values = maps.flatten(2).to(torch.promote_types(maps.dtype, torch.float32))
        return values @ values.mT / values[0].numel()


def _preprocess(network: Classifier | Checkpoint) -> Preprocess:
    if isinstance(network, Classifier):
        raise ArchitectureError(
            f"{network.architecture.name} alone does not say how its images are normalized. Give what `load` "
            "gave, or preprocess=..., such as verydeep.architecture.preprocess.IMAGENET for "
            "torchvision's weights"
        )
    return network.preprocess


def _weights(layers: Layers) -> dict[str, float]:
    if isinstance(layers, Mapping):
        return dict(layers)
    return dict.fromkeys([layers] if isinstance(layers, str) else layers, 1.0)


def _check_images(images: Tensor, channels: int, what: str) -> None:
    if images.ndim != 4 or images.shape[1] != channels:
        raise ShapeError(
            f"{what} are {tuple(images.shape)}; expected (batch, {channels}, height, width): "
            f"{'RGB' if channels == 3 else 'gray'}, the channels first, and images[None] for a single one"
        )
    if not images.is_floating_point():
        raise DataError(f"{what} are of type {images.dtype}; expected numbers from 0 to 1: {what} / 255")
    low, high = (float(value) for value in images.detach().aminmax())
    if not (low >= 0 and high <= 1):  # so that NaN is refused too
        raise DataError(
            f"{what} run from {low:.4g} to {high:.4g}; expected 0 to 1, not normalized: that is done inside. "
            "Divide 0 to 255 by 255; what a network puts out goes through sigmoid() or clamp(0, 1) first"
        )
