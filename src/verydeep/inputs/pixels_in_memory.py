"""Training images in memory, augmented and normalized batch by batch on the device."""

from collections.abc import Generator
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from verydeep.data.augmentation.augment import augment
from verydeep.data.images import Images
from verydeep.data.normalize import fit_to_input
from verydeep.inputs.augmented_batch import AugmentedBatches
from verydeep.inputs.batch_source import Plan, TrainingBatch
from verydeep.inputs.share import WHOLE, Share


@dataclass(frozen=True, kw_only=True)
class PixelsInMemory(AugmentedBatches):
    """All images in memory, augmented and normalized batch by batch on the device."""

    images: Images
    """On the device, or in main memory where that of the device is too small."""

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
        drawn = self.drawn(indices, epoch, step, share)
        indices = indices[share.rows(len(indices))]
        pixels = self.images.pixels[indices.to(self.images.pixels.device)].to(self.device)
        augmented = augment(fit_to_input(pixels, self.preprocess), drawn.choices)
        return self.training_batch(augmented, indices, drawn)


def on_device_if_it_fits(images: Images, device: torch.device) -> Images:
    """``images`` on ``device``; in main memory where that of the device is too small."""
    try:
        return images.to(device)
    except torch.OutOfMemoryError:
        return images
