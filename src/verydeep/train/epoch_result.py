"""What training hands out: one value an epoch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """One epoch of training. Losses are in nats an image, accuracies in [0, 1], times in seconds."""

    epoch: int
    """1 for the first."""
    epochs: int
    """How many there will be."""
    train_loss: float
    """Mean over the epoch, on augmented images and smoothed labels, as the network changed."""
    train_top1: float
    """Likewise: so it may lie below the validation's."""
    val_loss: float | None
    """On the validation split after the epoch; None where the recipe trains on everything."""
    val_top1: float | None
    lr: float
    """Learning rate of the last step, of the first group of parameters."""
    seconds: float
    """Training so far: data, augmentation and steps, without evaluation and start-up."""


@dataclass(frozen=True, kw_only=True)
class TunedEpoch(EpochResult):
    """One epoch of fine-tuning, as the averaged weights do on validation."""

    val_balanced: float
    """Mean recall of the classes on validation, in [0, 1]: what the epoch is chosen by."""
    is_best: bool
    """Whether none before it was as good."""
