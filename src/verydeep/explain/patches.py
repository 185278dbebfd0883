"""What the channels of a layer look for: the patches that stirred them most, and the filters of the first.

Zeiler and Fergus 2014 (arXiv 1311.2901), figure 2, and Krizhevsky et al. 2012, figure 3.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from verydeep.data.normalize import normalize, resize_and_crop
from verydeep.errors import ArchitectureError, DataError
from verydeep.explain.targets import field_of
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_extractor import taps
from verydeep.models.receptive_fields import Box, ReceptiveField, receptive_fields

CHANNELS = 12
PATCHES = 9
"""A channel, as in Zeiler and Fergus 2014, figure 2."""


@dataclass(frozen=True)
class Patch:
    """A place in an image that stirred a channel."""

    image: int
    """Its place among the images that were given."""
    box: Box
    """What the channel's value sees, in px of the image as the network sees it; it may reach outside."""
    activation: float


@dataclass(frozen=True)
class Channel:
    """One channel with its strongest patches, each of another image, the strongest first."""

    number: int
    """Counted from 0."""
    patches: tuple[Patch, ...]
    stands_out: float
    """How far their mean lies above the channel's mean over all places, in deviations."""


@dataclass(frozen=True)
class LayerPatches:
    """The channels of a layer that stand out most, the foremost first."""

    layer: str
    field: int
    """Side in px of what one value sees."""
    images: int
    channels: tuple[Channel, ...]


def strongest_patches(
    network: Checkpoint,
    batches: Iterable[UInt8[Tensor, "_ channels height width"]],
    layer: str | None = None,
    *,
    channels: int = CHANNELS,
    patches: int = PATCHES,
) -> LayerPatches:
    """Where the images of ``batches`` stirred a layer most, for the channels that tell images apart best.

    Images are held a batch at a time. The layer is by default the last ReLU whose values see no more than
    half of an image's side: later ones look at nearly all of it. A channel that no image stirs is left out.

    Raises:
        ArchitectureError: where the network has no such layer, or it gives no map.
        DataError: where there are no images.
    """
    layer = layer or _default_layer(network)
    field = field_of(network.model, layer)
    strongest = _Strongest(patches)
    tapped = taps(network.model.eval(), layer)
    device = next(network.model.parameters()).device
    for pixels in batches:
        images = normalize(resize_and_crop(pixels.to(device), network.preprocess), network.preprocess)
        with torch.inference_mode():
            strongest.add(tapped(images)[layer].float())
    found = tuple(strongest.foremost(channels, field))
    return LayerPatches(layer, field.size, strongest.images, found)


def first_filters(network: Checkpoint) -> Float32[Tensor, "filters channels kernel kernel"]:
    """The weights of the first convolution on pixels, in RGB order, each filter stretched: 0.5 is no weight.

    Raises:
        ArchitectureError: where they do not each look at all the colors of an image.
    """
    first = next(module for module in network.model.modules() if isinstance(module, nn.Conv2d))
    weights, seen = first.weight.detach().float().cpu(), network.preprocess
    if weights.shape[1] != seen.channels:
        raise ArchitectureError(
            f"the first filters of {network.model.architecture.name} look at {weights.shape[1]} of "
            f"{seen.channels} colors each; such filters have no picture"
        )
    weights = weights / torch.tensor(seen.std)[:, None, None]
    weights = weights.flip(1) if seen.order == "bgr" else weights
    most = weights.abs().amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
    return 0.5 + 0.5 * weights / most


def _default_layer(network: Checkpoint) -> str:
    side = network.preprocess.size
    relus = [
        (name, field) for name, field in receptive_fields(network.model).items() if name.startswith("relu")
    ]
    return next((name for name, field in reversed(relus) if 2 * field.size <= side), relus[0][0])


class _Strongest:
    """The greatest value of each channel in each image, the ``count`` greatest of them so far."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.images, self.places, self.columns = 0, 0, 1
        """Images seen, values of a channel seen, columns of a map."""
        self.sums, self.squares = torch.zeros(0), torch.zeros(0)
        self.table = torch.zeros(3, 0, 0, dtype=torch.float64)
        """(3, kept, channels): the value, its image, its place in the map, row by row."""

    def add(self, maps: Float[Tensor, "batch channels rows columns"]) -> None:
        """Note the maps of further images."""
        values, places = maps.flatten(2).max(2)
        images = torch.arange(self.images, self.images + len(maps))[:, None].expand(places.shape)
        news = torch.stack([values.cpu(), images, places.cpu()]).double()
        table = torch.cat([self.table, news], 1) if self.images else news
        order = table[0].topk(min(self.count, table.shape[1]), dim=0).indices
        self.table = table.gather(1, order.expand(3, -1, -1))
        exact = maps.double()
        sums, squares = exact.sum((0, 2, 3)).cpu(), exact.square().sum((0, 2, 3)).cpu()
        self.sums, self.squares = (
            (self.sums + sums, self.squares + squares) if self.images else (sums, squares)
        )
        self.images += len(maps)
        self.places += maps[:, 0].numel()
        self.columns = maps.shape[3]

    def foremost(self, channels: int, field: ReceptiveField) -> Iterator[Channel]:
        """The channels that stand out most, of those that were stirred at all."""
        if not self.images:
            raise DataError("no image was given to look for patches in; give at least one")
        mean = self.sums / self.places
        deviation = (self.squares / self.places - mean.square()).clamp_min(0).sqrt()
        stands_out = (self.table[0].mean(0) - mean) / deviation.clamp_min(1e-12)
        stirred = (self.table[0, 0] > 0) & (deviation > 0)
        for number in stands_out.where(stirred, -torch.inf).argsort(descending=True)[:channels].tolist():
            if stirred[number]:
                yield Channel(number, self._patches(number, field), float(stands_out[number]))

    def _patches(self, number: int, field: ReceptiveField) -> tuple[Patch, ...]:
        return tuple(
            Patch(int(image), field.box(*divmod(int(place), self.columns)), value)
            for value, image, place in self.table[:, :, number].T.tolist()
            if value > 0
        )
