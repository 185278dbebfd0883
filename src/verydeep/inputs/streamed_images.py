"""Training images on disk: decoded ahead of the network, in memory for a few batches only."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.check.check import check_unreadable
from verydeep.data.augmentation.augment import AugmentConfig, Choices, augment
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.decoding.crop import Crop
from verydeep.decoding.processes import IMAGES_AT_A_TIME, DecodingProcesses
from verydeep.decoding.stream import read_ahead
from verydeep.inputs.augmented_batch import Drawn, draw_batch, training_batch
from verydeep.inputs.batch_source import Plan, TrainingBatch
from verydeep.inputs.decoders import cores_of_rank
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
class StreamedImages:
    """Images on disk, decoded again in each epoch: a random crop is cut before it is resized."""

    images: ImagesOnDisk
    preprocess: Preprocess
    """The network's, for normalization; its size is that of the images."""
    device: torch.device
    augment: AugmentConfig | None = None
    """None for images that are evaluated."""
    seed: int = 0
    channels_last: bool = True
    workers: int | None = None
    """Decoding threads, where there are no ``processes``; by default one for each core of this rank."""
    processes: DecodingProcesses | None = None
    """Which decode in place of threads. The batches depend on neither."""

    @property
    def labels(self) -> Int64[Tensor, " count"]:
        """The class of each image."""
        return self.images.labels.to(self.device)

    @property
    def classes(self) -> int:
        """How many there are."""
        return len(self.images.classes)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of an input."""
        return self.preprocess.size, self.preprocess.size

    def batches(
        self, plan: Plan, epoch: int, first_step: int, share: Share = WHOLE
    ) -> Generator[TrainingBatch, None, None]:
        """The batches of ``plan``, decoded a few ahead.

        Raises:
            DataError: where more than 5 % of the images cannot be read.
        """
        with closing(self.pixels(plan, epoch, first_step, share)) as decoded:
            for (step, indices), (pixels, is_cropped) in zip(
                enumerate(plan, first_step), decoded, strict=True
            ):
                check_unreadable(len(self.images), list(self.images.unreadable.values()))
                drawn = self._drawn(indices, epoch, step, share)
                yield training_batch(
                    self._augmented(torch.from_numpy(pixels), torch.tensor(is_cropped), drawn.choices),
                    self.labels[indices[share.rows(len(indices))]],
                    self.classes,
                    drawn,
                    self.preprocess,
                    channels_last=self.channels_last,
                )

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

    def _drawn(self, indices: Int64[Tensor, " batch"], epoch: int, step: int, share: Share) -> Drawn:
        """A pure function: it is drawn once for decoding and once for the rest, which costs little."""
        return draw_batch(self.augment, indices, epoch, step, self.preprocess.size, self.seed, share)

    def _items(
        self, indices: Int64[Tensor, " batch"], epoch: int, step: int, share: Share
    ) -> list[tuple[int, Crop | None]]:
        """What is read for a batch: the index of each image, and its crop.

        Images are flipped before they are cropped: a crop of what is not yet flipped is mirrored.
        """
        choices = self._drawn(indices, epoch, step, share).choices
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
