"""Training images on disk: decoded ahead of the network, in memory for a few batches only."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from verydeep.check.check import check_unreadable
from verydeep.data.augmentation.augment import Choices, augment
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.decoding.crop import Crop
from verydeep.decoding.processes import DecodingProcesses
from verydeep.decoding.stream import read_ahead
from verydeep.decoding.work import IMAGES_AT_A_TIME
from verydeep.inputs.augmented_batch import AugmentedBatches
from verydeep.inputs.batch_source import Plan, TrainingBatch
from verydeep.inputs.decoding_processes import cores_of_rank
from verydeep.inputs.share import WHOLE, Share


class _Piece(NamedTuple):
    """Some neighboring images of a batch, which one thread or process decodes."""

    batch: UInt8[np.ndarray, "batch channels size size"]
    """The pixels of the whole batch, or of the share of it."""
    start: int
    """The row of the first image of the piece."""
    items: list[tuple[int, Crop | None]]
    """The index of each image, and its crop."""


@dataclass(frozen=True, kw_only=True)
class StreamedImages(AugmentedBatches):
    """Images on disk, decoded again in each epoch: a random crop is cut before it is resized."""

    images: ImagesOnDisk
    """At the size of ``preprocess``."""
    workers: int | None = None
    """Decoding threads, where there are no ``processes``; by default one for each core of this rank."""
    processes: DecodingProcesses | None = None
    """Which decode in place of threads. The batches depend on neither."""

    def batches(
        self, plan: Plan, epoch: int, first_step: int, share: Share = WHOLE
    ) -> Generator[TrainingBatch, None, None]:
        """The batches of ``plan``, decoded a few ahead.

        Raises:
            DataError: where more than 5 % of the images cannot be read.
        """
        plan = [indices.cpu() for indices in plan]  # once: each look at an index on a GPU waits for its steps
        with closing(self.pixels(plan, epoch, first_step, share)) as decoded:
            for (step, indices), (pixels, is_cropped) in zip(
                enumerate(plan, first_step), decoded, strict=True
            ):
                check_unreadable(len(self.images), list(self.images.unreadable.values()))
                # A pure function: it is drawn once for decoding and once here, which costs little.
                drawn = self.drawn(indices, epoch, step, share)
                augmented = self._augmented(torch.from_numpy(pixels), torch.tensor(is_cropped), drawn.choices)
                yield self.training_batch(augmented, indices[share.rows(len(indices))], drawn)

    def pixels(
        self, plan: Plan, epoch: int, first_step: int, share: Share = WHOLE
    ) -> Generator[tuple[UInt8[np.ndarray, "batch channels size size"], list[bool]], None, None]:
        """As they are decoded: the pixels of each batch, and whether each image is cropped already."""
        workers = self.workers or cores_of_rank()
        if self.processes is not None:
            self.processes.start()
            workers = self.processes.count
        wanted = (
            self._pieces(each, epoch, step, share, workers) for step, each in enumerate(plan, first_step)
        )
        with closing(read_ahead(wanted, self._decode, workers)) as decoded:
            for pieces in decoded:
                yield pieces[0][0], [each for _, is_cropped in pieces for each in is_cropped]

    def _pieces(
        self, indices: Int64[Tensor, " batch"], epoch: int, step: int, share: Share, workers: int
    ) -> list[_Piece]:
        """A batch in pieces of a few images, at least one for each worker where there are enough."""
        items = self._items(indices, epoch, step, share)
        batch = np.empty((len(items), *self.images.image_shape), dtype=np.uint8)
        size = min(IMAGES_AT_A_TIME, max(1, len(items) // workers))
        return [_Piece(batch, start, items[start : start + size]) for start in range(0, len(items), size)]

    def _decode(self, piece: _Piece) -> tuple[UInt8[np.ndarray, "batch channels size size"], list[bool]]:
        """The batch of ``piece``, with these images of it decoded, and whether each of them is cropped."""
        rows = piece.batch[piece.start : piece.start + len(piece.items)]
        return piece.batch, self.images.read_all(piece.items, rows, self.processes)

    def _items(
        self, indices: Int64[Tensor, " batch"], epoch: int, step: int, share: Share
    ) -> list[tuple[int, Crop | None]]:
        """What is read for a batch: the index of each image, and its crop.

        Images are flipped before they are cropped: a crop of what is not yet flipped is mirrored.
        """
        choices = self.drawn(indices, epoch, step, share).choices
        own = indices[share.rows(len(indices))].tolist()
        if choices.crop is None:
            return [(index, None) for index in own]
        crops = choices.crop.clone()
        if choices.flip is not None:
            crops[:, 3] *= 1 - 2 * choices.flip.to(crops)
        unit = choices.crop_of_short_side
        return [
            (index, Crop(side, stretch, down, right, unit))
            for index, (side, stretch, down, right) in zip(own, crops.tolist(), strict=True)
        ]

    def _augmented(
        self,
        pixels: UInt8[Tensor, "batch channels size size"],
        is_cropped: Bool[Tensor, " batch"],
        choices: Choices,
    ) -> UInt8[Tensor, "batch channels size size"]:
        """The images on the device, augmented; those that came whole are cropped here."""
        pixels = pixels.to(self.device)
        rest = replace(choices, crop=None)
        if is_cropped.all():
            return augment(pixels, rest)
        augmented = augment(pixels, choices)
        if is_cropped.any():
            chosen = is_cropped.to(self.device)
            augmented[chosen] = augment(pixels[chosen], rest.select(is_cropped))
        return augmented
