"""What training gives after each epoch: one value for the terminal, metrics.jsonl and the report."""

from dataclasses import dataclass


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
    the larger share of it."""
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
