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
from verydeep.decoding.cores import cores_of_rank
from verydeep.decoding.crop import Crop
from verydeep.decoding.processes import DecodingProcesses
from verydeep.decoding.stream import read_ahead
from verydeep.decoding.work import IMAGES_AT_A_TIME
from verydeep.inputs.augmented_batch import AugmentedBatches, Drawn
from verydeep.inputs.batch_source import Plan, TrainingBatch
from verydeep.inputs.share import WHOLE, Share


class DecodedBatch(NamedTuple):
    """A batch, or the share of it, as it is decoded."""

    pixels: UInt8[np.ndarray, "batch channels size size"]
    is_cropped: list[bool]
    """Whether each image is cropped already."""
    drawn: Drawn
    """What is random in it, of which the crops are decoded."""


class _Piece(NamedTuple):
    """Some neighboring images of a batch, which one thread or process decodes."""

    pixels: UInt8[np.ndarray, "batch channels size size"]
    """Of the whole batch, or of the share of it."""
    drawn: Drawn
    """What is random in it."""
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
            for indices, (pixels, is_cropped, drawn) in zip(plan, decoded, strict=True):
                check_unreadable(
                    len(self.images), list(self.images.unreadable.values()), self.images.location
                )
                augmented = self._augmented(torch.from_numpy(pixels), torch.tensor(is_cropped), drawn.choices)
                yield self.training_batch(augmented, indices[share.rows(len(indices))], drawn)

    def pixels(
        self, plan: Plan, epoch: int, first_step: int, share: Share = WHOLE
    ) -> Generator[DecodedBatch, None, None]:
        """The batches of ``plan`` as they are decoded."""
        workers = self.workers or cores_of_rank()
        if self.processes is not None:
            self.processes.start()
            workers = self.processes.count
        wanted = (
            self._pieces(each, epoch, step, share, workers) for step, each in enumerate(plan, first_step)
        )
        with closing(read_ahead(wanted, self._decode, workers)) as decoded:
            for pieces in decoded:
                piece, _ = pieces[0]
                is_cropped = [each for _, is_cropped in pieces for each in is_cropped]
                yield DecodedBatch(piece.pixels, is_cropped, piece.drawn)

    def _pieces(
        self, indices: Int64[Tensor, " batch"], epoch: int, step: int, share: Share, workers: int
    ) -> list[_Piece]:
        """A batch in pieces of a few images, at least one for each worker where there are enough."""
        drawn = self.drawn(indices, epoch, step, share)
        items = _items(indices[share.rows(len(indices))], drawn.choices)
        pixels = np.empty((len(items), *self.images.image_shape), dtype=np.uint8)
        size = min(IMAGES_AT_A_TIME, max(1, len(items) // workers))
        return [
            _Piece(pixels, drawn, start, items[start : start + size]) for start in range(0, len(items), size)
        ]

    def _decode(self, piece: _Piece) -> tuple[_Piece, list[bool]]:
        """``piece`` with its images decoded, and whether each of them is cropped."""
        rows = piece.pixels[piece.start : piece.start + len(piece.items)]
        return piece, self.images.read_all(piece.items, rows, self.processes)

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


def _items(indices: Int64[Tensor, " images"], choices: Choices) -> list[tuple[int, Crop | None]]:
    """What is read: the index of each image, and its crop.

    Images are flipped before they are cropped: a crop of what is not yet flipped is mirrored.
    """
    own = indices.tolist()
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
