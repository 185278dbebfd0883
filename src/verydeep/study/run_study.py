"""All trials of a study, several at once: each in a process of its own that keeps its threads to itself."""

import logging
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import torch

from verydeep.data.builtin import load_dataset
from verydeep.data.images import Dataset
from verydeep.errors import RecipeError
from verydeep.study.run_trial import kept_outcome, measure
from verydeep.study.trial import Outcome, Trial
from verydeep.train.device import Device, choose_device

_dataset: Dataset
"""Of a worker: read once, for all its trials."""


def default_workers(device: Device = "auto") -> int:
    """Trials that run at once: one a core, or one on a GPU."""
    return torch.get_num_threads() if choose_device(device).type == "cpu" else 1


def run_trials(
    trials: Sequence[Trial], data: str, folder: Path, *, workers: int, device: Device = "auto"
) -> Iterator[Outcome]:
    """The outcome of each trial as it comes, kept in ``folder``; those made before come first.

    A small network leaves most cores idle, so that trials side by side take less time than one after
    another on all cores. ``data`` is a name of ``load_dataset``. Where the iterator is closed early, what
    runs is finished first; called again with the same folder it goes on.

    Raises:
        RecipeError: where the folder holds trials of another recipe, or a worker was killed.
    """
    kept = {trial.name: kept_outcome(trial, folder) for trial in trials}
    yield from (outcome for outcome in kept.values() if outcome is not None)
    waiting = [trial for trial in trials if kept[trial.name] is None]
    if not waiting:
        return
    threads = max(1, torch.get_num_threads() // workers)
    context = multiprocessing.get_context("spawn")  # a forked process would inherit half a pool of threads
    pool = ProcessPoolExecutor(workers, context, _begin, (data, threads))
    try:
        yield from _as_they_come(pool, waiting, folder, device)
    except BrokenProcessPool:
        raise RecipeError(
            "a worker was killed, likely for want of memory; what was finished is kept. Go on by --workers 1"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _as_they_come(
    pool: ProcessPoolExecutor, waiting: list[Trial], folder: Path, device: Device
) -> Iterator[Outcome]:
    """Outcomes in the order in which they are finished; what grows from another waits for it."""
    running: dict[Future[Outcome], Trial] = {}
    unfinished = {trial.name for trial in waiting}
    while unfinished:
        for trial in list(waiting):
            if trial.grows_from is None or trial.grows_from.name not in unfinished:
                waiting.remove(trial)
                running[pool.submit(_measure, trial, folder, device)] = trial
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            unfinished.discard(running.pop(future).name)
            yield future.result()


def _begin(data: str, threads: int) -> None:
    """What a worker does first."""
    global _dataset
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # Ctrl-C is for the process that shows the progress to answer
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    torch.set_num_threads(threads)
    _dataset = load_dataset(data)


def _measure(trial: Trial, folder: Path, device: Device) -> Outcome:
    return measure(trial, _dataset, folder, device)
