"""Training images in memory, augmented and normalized batch by batch on the device."""

from collections.abc import Generator
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.augmentation.augment import AugmentConfig, augment
from verydeep.data.images import Images
from verydeep.data.normalize import fit_to_input
from verydeep.inputs.augmented_batch import draw_batch, training_batch
from verydeep.inputs.batch_source import Plan, TrainingBatch
from verydeep.inputs.share import WHOLE, Share


@dataclass(frozen=True, kw_only=True)
class PixelsInMemory:
    """All images in memory, augmented and normalized batch by batch on the device."""

    images: Images
    """On the device, or in main memory where that of the device is too small."""
    preprocess: Preprocess
    device: torch.device
    augment: AugmentConfig | None = None
    """None for images that are evaluated."""
    seed: int = 0
    channels_last: bool = True

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
        """The batches of ``plan``, each made when it is asked for."""
        for step, indices in enumerate(plan, first_step):
            yield self.batch(indices, epoch, step, share)

    def batch(
        self, indices: Int64[Tensor, " batch"], epoch: int, step: int, share: Share = WHOLE
    ) -> TrainingBatch:
        """The images of ``share`` in the batch of ``indices``, augmented and normalized."""
        drawn = draw_batch(self.augment, indices, epoch, step, self.preprocess.size, self.seed, share)
        indices = indices[share.rows(len(indices))]
        pixels = self.images.pixels[indices.to(self.images.pixels.device)].to(self.device)
        return training_batch(
            augment(fit_to_input(pixels, self.preprocess), drawn.choices),
            self.labels[indices],
            self.classes,
            drawn,
            self.preprocess,
            channels_last=self.channels_last,
        )
