"""Everything that training changes as it runs: what ``--resume`` restores, to end with the same bits."""

import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from verydeep.atomic_write import atomic_write
from verydeep.errors import CheckpointError
from verydeep.models.classifier import Classifier
from verydeep.models.stages import TrainablePart, with_trained_part
from verydeep.train.early_stopping import BestEpoch
from verydeep.train.schedule import Plateau


@dataclass
class EpochTally:
    """Sums over the epoch so far, kept on the device: reading them at every step would stall it."""

    loss: Tensor
    correct: Tensor
    """Correct predictions of each class."""
    images: Tensor
    """Images of each class."""

    @classmethod
    def zero(cls, classes: int, device: torch.device) -> "EpochTally":
        """Nothing counted yet."""
        correct, images = torch.zeros(2, classes, dtype=torch.int64, device=device)
        return cls(torch.zeros((), device=device), correct, images)

    def add(self, loss: Tensor, predicted: Tensor, labels: Tensor) -> None:
        """Count a batch of this mean loss."""
        self.loss += loss.detach() * len(labels)
        self.correct.index_add_(0, labels, (predicted == labels).long())
        self.images.index_add_(0, labels, torch.ones_like(labels))

    @property
    def mean_loss(self) -> float:
        """Per image, in nats."""
        return float(self.loss) / max(int(self.images.sum()), 1)

    @property
    def top1(self) -> float:
        """Accuracy."""
        return int(self.correct.sum()) / max(int(self.images.sum()), 1)

    @property
    def recalls(self) -> Tensor:
        """The recall of each class that had images."""
        has_images = self.images > 0
        return self.correct[has_images] / self.images[has_images]


@dataclass
class TrainingState:
    """A run between two steps."""

    model: Classifier
    """The whole network; its frozen stages are never changed."""
    part: TrainablePart
    """The part that is trained: it shares its modules with ``model``."""
    optimizers: Sequence[Optimizer]
    tally: EpochTally
    epochs: int
    """How many are planned; a deadline may lower it."""
    average: AveragedModel | None = None
    """The moving average (EMA) of ``part``, which is what is evaluated and kept."""
    plateau: Plateau = field(default_factory=Plateau)
    best: BestEpoch | None = None
    """The best epoch on validation, where that is the one to keep or to stop by."""
    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    """Steps made in the current epoch."""
    seconds: float = 0.0
    """Training so far."""

    @property
    def evaluated_part(self) -> TrainablePart:
        """What is evaluated: the moving average where there is one."""
        if self.average is None:
            return self.part
        module = self.average.module
        assert isinstance(module, TrainablePart)
        return module

    @property
    def trained(self) -> Classifier:
        """The network of the last step."""
        if self.average is None:
            return self.model
        return with_trained_part(self.model, self.evaluated_part.state_dict(), len(self.part.stages))

    @property
    def best_network(self) -> Classifier:
        """The network of the best epoch; that of the last step where none was chosen by validation."""
        if self.best is None:
            return self.trained
        return with_trained_part(self.model, self.best.tensors, len(self.part.stages))


def save_state(state: TrainingState, path: Path) -> None:
    """Write ``state`` to ``path``, whole or not at all."""
    write_packed(pack(state), path)


def pack(state: TrainingState) -> dict[str, Any]:
    """What is saved of ``state``; its tensors are those that training changes, not copies."""
    return {
        "model": state.model.state_dict(),
        "average": state.average.state_dict() if state.average else None,
        "optimizers": [optimizer.state_dict() for optimizer in state.optimizers],
        "tally": asdict(state.tally),
        "plateau": asdict(state.plateau),
        "best": None if state.best is None else vars(state.best),
        "epochs": state.epochs,
        "epoch": state.epoch,
        "step": state.step,
        "seconds": state.seconds,
    }


def write_packed(packed: dict[str, Any], path: Path) -> None:
    """Write what ``pack`` gave to ``path``, whole or not at all."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(packed, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # torch hides that the disk is full
                raise error.__context__ from None
            raise


def load_state(state: TrainingState, path: Path) -> None:
    """Make ``state`` what it was when it was saved to ``path``.

    Raises:
        CheckpointError: where the file is broken or of another network.
    """
    packed = _read(path)
    try:
        state.model.load_state_dict(packed["model"])
        if state.average is not None:
            state.average.load_state_dict(packed["average"])
        for optimizer, saved in zip(state.optimizers, packed["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        device = state.tally.loss.device
        state.tally = EpochTally(**{name: value.to(device) for name, value in packed["tally"].items()})
        state.plateau = Plateau(**packed["plateau"])
        state.best = None if packed["best"] is None else BestEpoch(**packed["best"])
        state.epochs, state.epoch, state.step = packed["epochs"], packed["epoch"], packed["step"]
        state.seconds = packed["seconds"]
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        text = " ".join(str(error).split())[:120]
        raise CheckpointError(
            f"{path} is the state of another network or recipe: {text}. Start over with --new"
        ) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        # weights_only refuses everything but tensors and plain values: no code runs.
        packed: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError
    ) as error:  # fmt: skip
        raise CheckpointError(
            f"{path} is broken and cannot be resumed ({type(error).__name__}). Start over with --new"
        ) from None
    return packed
