"""Feature visualization: the image patches that activate each channel most, and the first-layer filters.

Zeiler and Fergus 2014 (arXiv 1311.2901), figure 2, and Krizhevsky et al. 2012, figure 3.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from verydeep.data.normalize import fit_to_input, normalize
from verydeep.errors import ArchitectureError, DataError
from verydeep.explain.targets import receptive_field_of
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_extractor import taps
from verydeep.models.receptive_fields import Box, ReceptiveField, receptive_fields

CHANNELS = 12
"""Channels per layer."""
PATCHES = 9
"""Patches per channel, as in Zeiler and Fergus 2014, figure 2."""


@dataclass(frozen=True)
class Patch:
    """A part of an image with a high activation of a channel."""

    image: int
    """The index of the image."""
    box: Box
    """The receptive field of the value, in px of the preprocessed image; it may extend beyond the border."""
    activation: float


@dataclass(frozen=True)
class ChannelPatches:
    """The patches that activate a channel most, each from a different image, the strongest first."""

    channel: int
    """The index of the channel."""
    patches: tuple[Patch, ...]
    z_score: float
    """Their mean activation, in standard deviations above the mean of the channel over all positions."""


@dataclass(frozen=True)
class LayerPatches:
    """The patches of the channels with the highest z-scores, the highest first."""

    layer: str
    receptive_field: int
    """Side of a patch, in px."""
    images: int
    """The number of images that were searched."""
    channels: tuple[ChannelPatches, ...]


def strongest_patches(
    checkpoint: Checkpoint,
    batches: Iterable[UInt8[Tensor, "_ channels height width"]],
    layer: str | None = None,
    *,
    channels: int = CHANNELS,
    patches: int = PATCHES,
) -> LayerPatches:
    """The patches in ``batches`` that activate the channels of a layer most, for the most selective channels.

    One batch of images is in memory at a time. Channels without a positive activation are left out.

    Args:
        checkpoint: the result of ``verydeep.load``.
        batches: pixels of 0 to 255, in gray or RGB order.
        layer: a layer name of ``verydeep.taps``; by default the last ReLU whose receptive field is at most
            half of the image's side, as later layers depend on nearly the whole image.
        channels: the number of channels.
        patches: the number of patches per channel.

    Raises:
        ArchitectureError: if the network has no such layer, or the layer has no feature map.
        DataError: if there are no images.
    """
    layer = layer or _default_layer(checkpoint)
    receptive_field = receptive_field_of(checkpoint.model, layer)
    strongest = _StrongestValues(patches)
    extractor = taps(checkpoint.model.eval(), layer)
    device = next(checkpoint.model.parameters()).device
    for pixels in batches:
        images = normalize(fit_to_input(pixels.to(device), checkpoint.preprocess), checkpoint.preprocess)
        with torch.inference_mode():
            strongest.add(extractor(images)[layer].float())
    selected = tuple(strongest.most_selective(channels, receptive_field))
    return LayerPatches(layer, receptive_field.size, strongest.images, selected)


def first_filters(checkpoint: Checkpoint) -> Float32[Tensor, "filters channels kernel kernel"]:
    """The weights of the first convolution on RGB pixels, each filter scaled to [0, 1]; 0.5 is a weight of 0.

    Raises:
        ArchitectureError: if the filters do not cover all color channels of an image.
    """
    first = next(module for module in checkpoint.model.modules() if isinstance(module, nn.Conv2d))
    weights, preprocess = first.weight.detach().float().cpu(), checkpoint.preprocess
    if weights.shape[1] != preprocess.channels:
        raise ArchitectureError(
            f"the first filters of {checkpoint.model.architecture.name} cover {weights.shape[1]} of "
            f"{preprocess.channels} color channels; only filters of all channels can be drawn"
        )
    weights = weights / torch.tensor(preprocess.std)[:, None, None]
    weights = weights.flip(1) if preprocess.order == "bgr" else weights
    maximum = weights.abs().amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
    return 0.5 + 0.5 * weights / maximum


def _default_layer(checkpoint: Checkpoint) -> str:
    side = checkpoint.preprocess.size
    by_layer = receptive_fields(checkpoint.model)
    relus = [(name, field.size) for name, field in by_layer.items() if name.startswith("relu")]
    return next((name for name, size in reversed(relus) if 2 * size <= side), relus[0][0])


class _StrongestValues:
    """The maximum of each channel in each image; the ``count`` largest of them are kept per channel."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.images, self.positions, self.columns = 0, 0, 1
        """Images, values of a channel, and columns of a map."""
        self.sums, self.squares = torch.zeros(0), torch.zeros(0)
        self.table = torch.zeros(3, 0, 0, dtype=torch.float64)
        """(3, kept, channels): the value, the index of its image, its position in the flattened map."""

    def add(self, maps: Float[Tensor, "batch channels rows columns"]) -> None:
        """Include the feature maps of more images."""
        values, positions = maps.flatten(2).max(2)
        images = torch.arange(self.images, self.images + len(maps))[:, None].expand(positions.shape)
        added = torch.stack([values.cpu(), images, positions.cpu()]).double()
        table = torch.cat([self.table, added], 1) if self.images else added
        order = table[0].topk(min(self.count, table.shape[1]), dim=0).indices
        self.table = table.gather(1, order.expand(3, -1, -1))
        exact = maps.double()
        sums, squares = exact.sum((0, 2, 3)).cpu(), exact.square().sum((0, 2, 3)).cpu()
        self.sums, self.squares = (
            (self.sums + sums, self.squares + squares) if self.images else (sums, squares)
        )
        self.images += len(maps)
        self.positions += maps[:, 0].numel()
        self.columns = maps.shape[3]

    def most_selective(self, channels: int, receptive_field: ReceptiveField) -> Iterator[ChannelPatches]:
        """The channels with the highest z-scores, of those with a positive activation."""
        if not self.images:
            raise DataError("strongest patches need at least one image, and no image was given")
        mean = self.sums / self.positions
        deviation = (self.squares / self.positions - mean.square()).clamp_min(0).sqrt()
        z_scores = (self.table[0].mean(0) - mean) / deviation.clamp_min(1e-12)
        is_active = (self.table[0, 0] > 0) & (deviation > 0)
        for channel in z_scores.where(is_active, -torch.inf).argsort(descending=True)[:channels].tolist():
            if is_active[channel]:
                patches = self._patches(channel, receptive_field)
                yield ChannelPatches(channel, patches, float(z_scores[channel]))

    def _patches(self, channel: int, receptive_field: ReceptiveField) -> tuple[Patch, ...]:
        return tuple(
            Patch(int(image), receptive_field.box(*divmod(int(position), self.columns)), value)
            for value, image, position in self.table[:, :, channel].T.tolist()
            if value > 0
        )
