"""Early stopping, and the best epoch on validation images."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class BestEpoch:
    """The best epoch so far on validation images: its measures and its weights."""

    epoch: int
    """0 is the network as training started."""
    balanced_accuracy: float
    """On the validation images, in [0, 1]."""
    loss: float
    """Likewise, in nats per image."""
    tensors: dict[str, Tensor]
    """Of the trained part of the network."""

    def is_beaten_by(self, balanced_accuracy: float, loss: float) -> bool:
        """Whether these results are better: higher balanced accuracy, or the same with a lower loss."""
        return (balanced_accuracy, -loss) > (self.balanced_accuracy, -self.loss)


def should_stop_early(best: BestEpoch | None, epoch: int, patience: int) -> bool:
    """Whether ``patience`` epochs have passed since the best one; 0 never stops."""
    return bool(patience) and best is not None and epoch - best.epoch >= patience
