"""Runs the trials of a study in parallel, each in its own process with its own threads."""

import logging
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from verydeep.child_process import end_with_parent
from verydeep.data.images import Dataset, Images
from verydeep.errors import RecipeError
from verydeep.machine import Device
from verydeep.study.run_trial import finish_trial, run_trial, saved_outcome
from verydeep.study.trial import Outcome, Trial
from verydeep.train.device import choose_device

_dataset: Dataset
"""The data of a worker process, the same for all its trials."""
_Arrays = tuple[UInt8[np.ndarray, "count channels height width"], Int64[np.ndarray, " count"]]
"""Pixels and labels."""


def default_workers(device: Device = "auto") -> int:
    """The number of parallel trials: one per core, or one on a GPU."""
    return torch.get_num_threads() if choose_device(device).type == "cpu" else 1


def run_trials(
    trials: Sequence[Trial], dataset: Dataset, folder: Path, *, workers: int, device: Device = "auto"
) -> Iterator[Outcome]:
    """The outcomes in the order in which trials finish, saved in ``folder``; earlier outcomes come first.

    A small network leaves most cores idle, so that parallel trials take less time than sequential trials on
    all cores. If the iterator is closed early, running trials finish first; the next call with the same
    folder continues.

    Raises:
        RecipeError: where the folder has trials with another recipe or other images, or a worker was killed.
    """
    saved = {trial.name: saved_outcome(trial, dataset.name, folder) for trial in trials}
    for trial in trials:
        if (outcome := saved[trial.name]) is not None:
            finish_trial(trial, folder)
            yield outcome
    waiting = [trial for trial in trials if saved[trial.name] is None]
    if not waiting:
        return
    threads = max(1, torch.get_num_threads() // workers)
    context = multiprocessing.get_context("spawn")  # fork would copy a thread pool without its threads
    images = _arrays(dataset.train), _arrays(dataset.test)
    arguments = (dataset.name, dataset.classes, *images, threads)
    pool = ProcessPoolExecutor(workers, context, _start_worker, arguments)
    try:
        yield from _as_completed(pool, waiting, folder, device)
    except BrokenProcessPool:
        raise RecipeError(
            "a worker process was killed, probably because memory ran out; finished trials are saved. "
            "Run the same command again with --workers 1"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _as_completed(
    pool: ProcessPoolExecutor, waiting: list[Trial], folder: Path, device: Device
) -> Iterator[Outcome]:
    """Outcomes in the order in which trials finish; a trial waits for the one that initializes it."""
    running: dict[Future[Outcome], Trial] = {}
    unfinished = {trial.name for trial in waiting}
    while unfinished:
        for trial in list(waiting):
            if trial.initialized_from is None or trial.initialized_from.name not in unfinished:
                waiting.remove(trial)
                running[pool.submit(_run_trial, trial, folder, device)] = trial
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            unfinished.discard(running.pop(future).name)
            yield future.result()


def _arrays(images: Images) -> _Arrays:
    """``images`` for another process: tensors would need shared memory, of which containers have little."""
    return images.pixels.numpy(), images.labels.numpy()


def _start_worker(name: str, classes: tuple[str, ...], train: _Arrays, test: _Arrays, threads: int) -> None:
    global _dataset
    # Only the process that shows the progress handles Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent()
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    torch.set_num_threads(threads)
    parts = (
        Images(torch.from_numpy(pixels), torch.from_numpy(labels), classes)
        for pixels, labels in (train, test)
    )
    _dataset = Dataset(name, *parts)


def _run_trial(trial: Trial, folder: Path, device: Device) -> Outcome:
    return run_trial(trial, _dataset, folder, device)
