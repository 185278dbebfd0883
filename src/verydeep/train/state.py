"""Everything that training changes as it goes: what a resumed run needs to give the same bits."""

import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from verydeep.atomic_write import atomic_write
from verydeep.errors import CheckpointError
from verydeep.models.classifier import Classifier
from verydeep.train.schedule import Plateau


@dataclass
class Tally:
    """Sums over the epoch so far, kept on the device: reading them at every step would stall it."""

    loss: Tensor
    correct: Tensor
    images: int = 0

    @classmethod
    def zero(cls, device: torch.device) -> "Tally":
        """Nothing seen yet."""
        return cls(torch.zeros((), device=device), torch.zeros((), dtype=torch.int64, device=device))


@dataclass
class TrainingState:
    """A run between two steps."""

    model: Classifier
    optimizers: Sequence[Optimizer]
    tally: Tally
    average: AveragedModel | None = None
    """The moving average of the weights, which is what is evaluated and kept."""
    plateau: Plateau = field(default_factory=Plateau)
    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    """Steps made in the epoch that is under way."""
    seconds: float = 0.0
    """Training so far."""

    @property
    def trained(self) -> Classifier:
        """The network to evaluate and keep: the average where there is one."""
        if self.average is None:
            return self.model
        return cast(Classifier, self.average.module)


def save_state(state: TrainingState, path: Path) -> None:
    """Write ``state`` and torch's random state to ``path``, whole or not at all."""
    packed = {
        "model": state.model.state_dict(),
        "average": state.average.state_dict() if state.average else None,
        "optimizers": [optimizer.state_dict() for optimizer in state.optimizers],
        "tally": {"loss": state.tally.loss, "correct": state.tally.correct, "images": state.tally.images},
        "plateau": asdict(state.plateau),
        "epoch": state.epoch,
        "step": state.step,
        "seconds": state.seconds,
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    with atomic_write(path) as temporary:
        torch.save(packed, temporary)


def load_state(state: TrainingState, path: Path) -> None:
    """Make ``state``, and torch's random state, what they were when they were saved to ``path``.

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
        tally = packed["tally"]
        state.tally = Tally(tally["loss"].to(device), tally["correct"].to(device), tally["images"])
        state.plateau = Plateau(**packed["plateau"])
        state.epoch, state.step, state.seconds = packed["epoch"], packed["step"], packed["seconds"]
        torch.set_rng_state(packed["random"])
        if packed["random_cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(packed["random_cuda"])
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is the state of another network or recipe: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        # weights_only refuses everything but tensors and plain values: no code runs.
        packed: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(
            f"{path} is broken and cannot be resumed: {str(error).splitlines()[0]}"
        ) from None
    return packed
