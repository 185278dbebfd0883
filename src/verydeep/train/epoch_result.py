"""What training gives after each epoch: one value for the terminal, metrics.jsonl and the report."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass, field, replace
from typing import TypeVar

from verydeep.inputs.waiting import Waiting

Indices = TypeVar("Indices", bound=Sized)
Batch = TypeVar("Batch")


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """One epoch of training. Losses are in nats per image, accuracies in [0, 1], times in seconds."""

    epoch: int
    """1 for the first."""
    epochs: int
    """How many are planned."""
    train_loss: float
    """Mean over the epoch, on augmented images and smoothed labels, while the network changes."""
    train_top1: float
    """Likewise, so it may be lower than the validation accuracy; a mixed image counts as the class that has
    the larger share of it. Both are of the images that the epoch trained on: where a recipe trains on the
    hardest ones, of these."""
    val_loss: float | None
    """On the validation images after the epoch; None where there are none."""
    val_top1: float | None
    val_balanced_accuracy: float | None
    """The mean recall of the classes on the validation images."""
    is_best: bool
    """Whether this is the best epoch so far: highest balanced accuracy on validation, then lowest loss."""
    lr: float
    """Learning rate of the last step, of the first parameter group."""
    seconds: float
    """Training so far: data, augmentation and steps, without evaluation and startup."""
    images_per_second: float | None = field(default=None, compare=False)
    """Throughput of the epoch, with waiting, or of its part since the training was resumed; None where no
    step was left of it, and in a run of an earlier version. It depends on the clock, so equal epochs may
    differ in it."""
    data_wait: float | None = field(default=None, compare=False)
    """The share of that time in which the network waited for its next batch, from 0 to 1: decoding, and on a
    CPU augmentation."""


class EpochClock:
    """Counts images and the time in which the network waits for them."""

    def __init__(self, seconds: float) -> None:
        self._began, self._images, self._waiting = seconds, 0, Waiting()

    def timed(self, batches: Iterator[tuple[Indices, Batch]]) -> Iterator[tuple[Indices, Batch]]:
        """``batches`` with the indices of their images, while the clock runs."""
        for following in self._waiting.timed(batches):
            self._images += len(following[0])
            yield following

    def added_to(self, result: EpochResult) -> EpochResult:
        """``result`` with its throughput and the share of waiting; without them where no step was left."""
        if not self._images:
            return result
        passed = max(result.seconds - self._began, 1e-9)
        return replace(
            result,
            images_per_second=self._images / passed,
            data_wait=min(self._waiting.seconds / passed, 1.0),
        )
