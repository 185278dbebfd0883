"""What the trained part of a network sees: pixels, or the maps of the frozen part, computed once.

The maps of an image that nothing below changes are the same in every epoch. They are kept as the frozen part
gives them (bf16 where it computes in bf16), and once more for the image mirrored: what the trained part is
shown is then the very same as if the whole network ran.
"""

import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from lightning_fabric import Fabric
from torch import Tensor, nn

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.augment import AugmentConfig, augment, flip_mask
from verydeep.data.batches import generator
from verydeep.data.images import Images
from verydeep.data.normalize import normalize, resize_and_crop
from verydeep.errors import DataError
from verydeep.train.loop import channels_last

BATCH_PIXELS = 300_000
"""Of a batch that is only looked at: 32 images of 96 px, as fast on a CPU as any more, in little memory."""
MEMORY_LIMIT = 4 * 2**30
"""Bytes of maps that are held in memory; more are put in a temporary file."""


@dataclass(frozen=True)
class PixelInputs:
    """Images themselves, for a network that is trained whole."""

    train: Images
    val: Images
    preprocess: Preprocess
    augment: AugmentConfig
    seed: int
    device: torch.device

    def batch(self, places: Int64[Tensor, " batch"], epoch: int, step: int) -> Float[Tensor, "batch ..."]:
        """The training images at ``places``, augmented: a pure function of seed, epoch and step."""
        chance = generator(self.seed, epoch, step)
        pixels = resize_and_crop(
            self.train.pixels[places.to(self.train.pixels.device)].to(self.device), self.preprocess
        )
        return _seen(augment(pixels, places, epoch, self.augment, chance), self.preprocess)

    def validation(self) -> Iterator[Float[Tensor, "batch ..."]]:
        """The validation images as they are, batch after batch."""
        for pixels in _batches(self.val.pixels, self.preprocess):
            yield _seen(resize_and_crop(pixels.to(self.device), self.preprocess), self.preprocess)


@dataclass(frozen=True)
class MapInputs:
    """The frozen part's maps; of augmentation only the mirror image is left."""

    train: Float[Tensor, "views images channels rows columns"]
    """As they are, and where there are two views, mirrored: of the mirrored images, not mirrored maps."""
    val: Float[Tensor, "others channels rows columns"]
    augment: AugmentConfig
    seed: int
    device: torch.device

    def batch(self, places: Int64[Tensor, " batch"], epoch: int, step: int) -> Float[Tensor, "batch ..."]:
        """The maps at ``places``, each of the image or of its mirror image."""
        chance = generator(self.seed, epoch, step)
        views = flip_mask(places, epoch, self.augment.flip if len(self.train) > 1 else "none", chance).long()
        held_on = self.train.device
        return channels_last(self.train[views.to(held_on), places.to(held_on)].to(self.device))

    def validation(self) -> Iterator[Float[Tensor, "batch ..."]]:
        """The maps of the images as they are."""
        for maps in self.val.split(256):
            yield channels_last(maps.to(self.device))


Inputs = PixelInputs | MapInputs


@contextmanager
def room(count: int, like: Float[Tensor, "..."], memory_limit: int) -> Iterator[Float[Tensor, "..."]]:
    """Place for ``count`` tensors as ``like``: beside it in memory, or in a temporary file if they are many.

    Raises:
        DataError: where neither memory nor disk has the room.
    """
    values = count * like.numel()
    size = values * like.element_size()
    if size <= memory_limit:
        yield torch.empty((count, *like.shape), dtype=like.dtype, device=like.device)
        return
    with tempfile.TemporaryDirectory(prefix="verydeep-", ignore_cleanup_errors=True) as folder:
        free = shutil.disk_usage(folder).free
        if size > free:
            needed, allowed, left = (amount / 2**30 for amount in (size, memory_limit, free))
            raise DataError(
                f"the maps of {count:,} images take {needed:.1f} GiB: more than the {allowed:.1f} GiB of "
                f"memory that they may take, and {folder} has {left:.1f} GiB left. Train all stages, or take "
                "smaller images; TMPDIR may name a larger disk"
            )
        file = str(Path(folder) / "maps")
        held = torch.from_file(file, shared=True, size=values, dtype=like.dtype)
        yield held.view(count, *like.shape)


@contextmanager
def map_inputs(
    below: nn.Module,
    pixels: PixelInputs,
    fabric: Fabric,
    memory_limit: int = MEMORY_LIMIT,
) -> Iterator[MapInputs]:
    """Room for what ``below`` gives for these images; ``fill`` computes it. After the block it is gone.

    Raises:
        DataError: where neither memory nor disk has the room.
    """
    views = 1 if pixels.augment.flip == "none" else 2
    like = _maps_of(below, pixels.val.pixels[:1], pixels.preprocess, fabric)[0]
    of_val, of_train = len(pixels.val), len(pixels.train)
    with room(of_val + views * of_train, like, memory_limit) as held:
        train = held[of_val:].view(views, of_train, *like.shape)
        yield MapInputs(train, held[:of_val], pixels.augment, pixels.seed, pixels.device)


def fill(inputs: MapInputs, below: nn.Module, pixels: PixelInputs, fabric: Fabric) -> Iterator[int]:
    """Compute the maps of all images, and say after each batch of how many it was."""
    sets = [(inputs.val, pixels.val, False), (inputs.train[0], pixels.train, False)]
    sets += [(mirrored_maps, pixels.train, True) for mirrored_maps in inputs.train[1:]]
    for maps, images, mirror in sets:
        done = 0
        for batch in _batches(images.pixels, pixels.preprocess):
            maps[done : done + len(batch)] = _maps_of(below, batch, pixels.preprocess, fabric, mirror=mirror)
            done += len(batch)
            yield len(batch)


@torch.no_grad()
def _maps_of(
    below: nn.Module, pixels: Tensor, preprocess: Preprocess, fabric: Fabric, *, mirror: bool = False
) -> Tensor:
    pixels = resize_and_crop(pixels.to(fabric.device), preprocess)
    with fabric.autocast():
        maps: Tensor = below(_seen(pixels.flip(-1) if mirror else pixels, preprocess))
    return maps


def _seen(pixels: Tensor, preprocess: Preprocess) -> Tensor:
    return channels_last(normalize(pixels, preprocess))


def _batches(pixels: Tensor, preprocess: Preprocess) -> Iterator[Tensor]:
    yield from pixels.split(max(1, math.ceil(BATCH_PIXELS / preprocess.size**2)))
