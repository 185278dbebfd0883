"""The training state on disk. It is written by a thread, from a copy on the device, while training goes on.

Writing that of VGG16, 1.1 GB, takes a second or two; an epoch of ImageNet on eight GPUs takes half a minute.
"""

import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from verydeep.atomic_write import atomic_write
from verydeep.errors import CheckpointError
from verydeep.foreign_text import error_text
from verydeep.train.early_stopping import BestEpoch
from verydeep.train.hardest import ImageLosses
from verydeep.train.optimizer.schedule import Plateau
from verydeep.train.state import EpochTally, TrainingState


@contextmanager
def state_writer(path: Path) -> Iterator["StateWriter"]:
    """Writes states to ``path``; what is being written at the end of the block is finished then."""
    with ThreadPoolExecutor(1) as pool:
        yield StateWriter(path, pool)


class StateWriter:
    """Writes states to one file, one after the other, in the thread of a pool."""

    def __init__(self, path: Path, pool: ThreadPoolExecutor) -> None:
        self.path, self.pool = path, pool
        self.written: Future[None] | None = None

    def write(self, state: TrainingState) -> None:
        """Copy ``state``, and write the copy while the caller goes on.

        Raises:
            OSError: where the state before this one could not be written.
        """
        self.wait()
        packed = copy.deepcopy(pack(state))
        copied = None
        if state.tally.loss.is_cuda:
            copied = torch.cuda.Event()
            copied.record()
        self.written = self.pool.submit(self._write, packed, copied)

    def wait(self) -> None:
        """Until the state is written.

        Raises:
            OSError: where it could not be, for example on a full disk.
        """
        if self.written is not None:
            self.written.result()

    def _write(self, packed: dict[str, Any], copied: torch.cuda.Event | None) -> None:
        with ExitStack() as stack:
            if copied is not None:  # a stream of its own: the training's stream would wait for this copy
                stream = torch.cuda.Stream()
                stream.wait_event(copied)
                stack.enter_context(torch.cuda.stream(stream))
            write_packed(packed, self.path)


def pack(state: TrainingState) -> dict[str, Any]:
    """What is saved of ``state``; its tensors are those that training changes, not copies."""
    return {
        "model": state.model.state_dict(),
        "average": state.average.state_dict() if state.average else None,
        "optimizers": [optimizer.state_dict() for optimizer in state.optimizers],
        "tally": asdict(state.tally),
        "losses": None if state.losses is None else vars(state.losses),
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
        if state.losses is not None:
            state.losses = ImageLosses(**{name: value.to(device) for name, value in packed["losses"].items()})
        state.plateau = Plateau(**packed["plateau"])
        state.best = None if packed["best"] is None else BestEpoch(**packed["best"])
        state.epochs, state.epoch, state.step = packed["epochs"], packed["epoch"], packed["step"]
        state.seconds = packed["seconds"]
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is the state of another network or recipe: {error_text(error)}. Start over with --new"
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
