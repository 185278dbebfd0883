"""Feature maps of frozen stages as training inputs: computed once, then read in every epoch.

The maps of an image are the same in every epoch as long as nothing below them changes. They are kept in the
precision that computes them (bf16 under mixed precision), once for the image and once for its mirror image:
so the trained part gets exactly what it would get if the whole network ran. Of data augmentation only the
horizontal flip is possible; crops and colors would change the maps.
"""

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from lightning_fabric import Fabric
from torch import Tensor, nn

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.augmentation.augment import flip_mask
from verydeep.data.augmentation.config import Flip
from verydeep.data.batches import generator
from verydeep.data.images import ImageSet
from verydeep.data.normalize import fit_to_input, normalize
from verydeep.errors import DataError
from verydeep.inputs.augmented_batch import to_channels_last
from verydeep.inputs.batch_source import Plan, TrainingBatch, TrainingInputs
from verydeep.inputs.share import WHOLE, Share
from verydeep.torchrun import local_world_size

BATCH_PIXELS = 300_000
"""Of a batch: 32 images of 96 px, as fast on a CPU as any larger one, in little memory."""
MEMORY_LIMIT = 4 * 2**30
"""Bytes of maps that are kept in memory; more go to a temporary file."""

Computed = Callable[[int, int], None]
"""Called with the images whose maps are computed, and with their number in all; may raise to stop."""


@dataclass(frozen=True, kw_only=True)
class FrozenFeatures:
    """The maps of some images, each as it is and, for training with flips, mirrored."""

    maps: Float[Tensor, "views images channels rows columns"]
    """The second view is of the mirrored images; it is not the mirrored maps."""
    labels: Int64[Tensor, " images"]
    classes: int
    flip: Flip
    seed: int
    device: torch.device

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a map."""
        *_, rows, columns = self.maps.shape
        return rows, columns

    def batches(
        self, plan: Plan, epoch: int, first_step: int, share: Share = WHOLE
    ) -> Generator[TrainingBatch, None, None]:
        """The batches of ``plan``, each made when it is asked for."""
        for step, indices in enumerate(plan, first_step):
            yield self.batch(indices, epoch, step, share)

    def batch(
        self, indices: Int64[Tensor, " batch"], epoch: int, step: int, share: Share = WHOLE
    ) -> TrainingBatch:
        """The maps of each image of ``share`` or of its mirror image."""
        own = share.rows(len(indices))
        views = flip_mask(indices, epoch, self.flip, generator(self.seed, epoch, step)).long()[own]
        held_on, indices = self.maps.device, indices[own]
        maps = self.maps[views.to(held_on), indices.to(held_on)].to(self.device)
        return TrainingBatch(to_channels_last(maps), self.labels[indices])


@contextmanager
def frozen_features(
    frozen: nn.Module,
    train: ImageSet,
    val: ImageSet | None,
    preprocess: Preprocess,
    fabric: Fabric,
    *,
    flip: Flip,
    seed: int,
    computed: Computed = lambda done, total: None,
    memory_limit: int = MEMORY_LIMIT,
) -> Iterator[TrainingInputs]:
    """The maps that the ``frozen`` stages compute of all images; they are removed after the block.

    Raises:
        DataError: where neither memory nor disk has room for them.
    """
    views = 1 if flip == "none" else 2
    extractor = _Extractor(frozen, preprocess, fabric)
    like = extractor.maps_of(torch.from_numpy(train.picture(0))[None])[0]
    of_val = 0 if val is None else len(val)
    total = of_val + views * len(train)
    with _storage(total, like, memory_limit) as maps:
        parts: list[tuple[Tensor, ImageSet, bool]] = [] if val is None else [(maps[:of_val], val, False)]
        of_train = maps[of_val:].view(views, len(train), *like.shape)
        parts += [(of_train[view], train, view == 1) for view in range(views)]
        done = 0
        for part, images, mirror in parts:
            for images_done in extractor.fill(part, images, mirror=mirror):
                done += images_done
                computed(done, total)
        yield TrainingInputs(
            _source(of_train, train, flip, seed, fabric),
            None if val is None else _source(maps[:of_val][None], val, "none", seed, fabric),
        )


def _source(maps: Tensor, images: ImageSet, flip: Flip, seed: int, fabric: Fabric) -> FrozenFeatures:
    return FrozenFeatures(
        maps=maps,
        labels=images.labels.to(fabric.device),
        classes=len(images.classes),
        flip=flip,
        seed=seed,
        device=fabric.device,
    )


@dataclass(frozen=True)
class _Extractor:
    """The frozen stages and what their images need."""

    frozen: nn.Module
    preprocess: Preprocess
    fabric: Fabric

    def fill(self, maps: Tensor, images: ImageSet, *, mirror: bool) -> Iterator[int]:
        """Compute the maps of all ``images``; the number of images of each batch."""
        start = 0
        for pixels in images.pixel_batches(max(1, math.ceil(BATCH_PIXELS / self.preprocess.size**2))):
            maps[start : start + len(pixels)] = self.maps_of(pixels, mirror=mirror)
            start += len(pixels)
            yield len(pixels)

    @torch.no_grad()
    def maps_of(self, pixels: Tensor, *, mirror: bool = False) -> Tensor:
        """The maps of a batch."""
        pixels = fit_to_input(pixels.to(self.fabric.device), self.preprocess)
        images = normalize(pixels.flip(-1) if mirror else pixels, self.preprocess)
        with self.fabric.autocast():
            maps: Tensor = self.frozen(to_channels_last(images))
        return maps


@contextmanager
def _storage(count: int, like: Float[Tensor, "..."], memory_limit: int) -> Iterator[Float[Tensor, "..."]]:
    """Room for ``count`` tensors such as ``like``: in memory, or in a temporary file where they are many.

    Raises:
        DataError: where neither memory nor disk has the room.
    """
    values = count * like.numel()
    size = values * like.element_size()
    if size <= memory_limit:
        yield torch.empty((count, *like.shape), dtype=like.dtype, device=like.device)
        return
    with tempfile.TemporaryDirectory(prefix="verydeep-", ignore_cleanup_errors=True) as folder:
        free, ranks = shutil.disk_usage(folder).free, local_world_size()  # each with maps of its own
        if size * ranks > free:
            needed, allowed, left = (amount / 2**30 for amount in (size, memory_limit, free))
            of_each = f" for each of {ranks} ranks on this host" if ranks > 1 else ""
            raise DataError(
                f"the feature maps of {count:,} images take {needed:.1f} GiB{of_each}: more than the "
                f"{allowed:.1f} GiB of memory that they may take, and {folder} has {left:.1f} GiB left. "
                "Freeze fewer stages, use a smaller --size, or set TMPDIR to a larger disk"
            )
        file = Path(folder) / "maps"
        mapped = torch.from_file(str(file), shared=True, size=values, dtype=like.dtype)
        if os.name == "posix":  # then nothing is left of it where this process is killed
            file.unlink()
        yield mapped.view(count, *like.shape)
