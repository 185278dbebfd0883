"""Training on the hardest images: after the first epoch, only on those whose loss is large.

After one epoch most images of a data set are easy: their gradients are small, and their share of the time is
not. The loss of an image is known from the step that last trained on it: choosing needs no pass over images.
It is compared with the other losses of its batch, as all losses fall while training goes on.

Jiang et al. 2019, "Accelerating deep learning by focusing on the biggest losers" (arXiv 1910.00762), choose
by a forward pass of each batch; Jordan's CIFAR-10 speed record for 96 % by one of a small network.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor


@dataclass
class ImageLosses:
    """How hard each training image was when it was last trained on; infinite for one that never was."""

    before: Float32[Tensor, " images"]
    """When the current epoch began: what its images are chosen by, also where training resumes within it."""
    now: Float32[Tensor, " images"]
    """With the steps of the current epoch."""

    @classmethod
    def unknown(cls, images: int, device: torch.device) -> "ImageLosses":
        """No image was trained on yet."""
        return cls(*torch.full((2, images), torch.inf, device=device))

    def add(self, indices: Int64[Tensor, " batch"], losses: Float32[Tensor, " batch"]) -> None:
        """Keep the ``losses`` of a batch, as multiples of their mean."""
        self.now[indices.to(self.now.device)] = losses / losses.mean().clamp_min(1e-12)

    def finish_epoch(self) -> None:
        """From now on choose by the losses of the epoch that ends."""
        self.before = self.now.clone()

    def hardest(self, order: Int64[Tensor, " images"], count: int) -> Int64[Tensor, " count"]:
        """The ``count`` hardest images, in the order that they have in ``order``."""
        hardest_first = self.before.cpu()[order].argsort(descending=True, stable=True)
        return order[hardest_first[:count].sort().values]
