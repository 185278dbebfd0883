"""The work of ``verydeep train``, which imports PyTorch."""

import logging
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verydeep.analyze.trace import trace
from verydeep.data.builtin import load_dataset
from verydeep.data.builtin_names import is_builtin, require_known
from verydeep.image_sources.open_images import read_samples
from verydeep.machine import Device, Parallel
from verydeep.report.training_page import write_training_page
from verydeep.tables.training_table import training_summary
from verydeep.terminal.console import START, err, out, print_json, silent
from verydeep.terminal.interrupt import given_flags, how_to_resume, stop_on_interrupt
from verydeep.terminal.output_path import require_writable_folder
from verydeep.terminal.progress import ByteProgress
from verydeep.terminal.run_choice import resumed_run, started_run
from verydeep.terminal.training_progress import TrainingProgress
from verydeep.torchrun import is_launched, restarts
from verydeep.train.device import choose_device
from verydeep.train.estimate import estimate_training
from verydeep.train.parallel.collectives import by_first
from verydeep.train.parallel.launch import launch, require_as_launched, require_one_device
from verydeep.train.parallel.lost_launcher import stopped_with_launcher
from verydeep.train.parallel.process_group import process_group
from verydeep.train.parallel.ranks import is_first
from verydeep.train.parallel.store import told_once, wait_for_all
from verydeep.train.prepare import split_samples
from verydeep.train.recipe import Recipe, default_recipe, read_recipe
from verydeep.train.result.train_result import TrainResult
from verydeep.train.run_folder import RunFolder, run_name
from verydeep.train.start.pretrained import pretrained_network
from verydeep.train.train import new_start, train_network, unfinished_recipe
from verydeep.train.unfinished_run import start_over

RUNS = Path("runs")
"""The folder of runs without --out."""


def print_estimate(
    data: str,
    name: str,
    changes: Mapping[str, Any],
    *,
    device: Device,
    devices: int | None,
    as_json: bool,
) -> int:
    """Print how long a training by the recipe ``name`` takes."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # our own lines state what matters
    with told_once():
        require_one_device(devices)
        recipe = read_recipe(name, changes)
    with ByteProgress(err(), _download_text(data, recipe.weights)) as downloaded:
        estimate = estimate_training(recipe, data, device=device, progress=downloaded)
    print_json(estimate.values) if as_json else out().print(estimate.text, markup=False, soft_wrap=True)
    return 0


def train_from_flags(
    data: str,
    changes: Mapping[str, Any],
    *,
    recipe: str | None,
    out_: Path | None,
    resume: bool,
    new: bool,
    device: Device,
    devices: int | None,
    parallel: Parallel,
    json: bool,
) -> int:
    """Train as the flags of the command ask; ``changes`` are those of the recipe."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # our own lines state what matters
    if devices is not None and not is_launched() and devices > 1:
        return launch(devices, sys.argv[1:])
    with told_once():
        require_as_launched(devices)
    with told_once(), process_group(choose_device(device)):
        require_writable_folder(out_ or RUNS)
        chosen, recipe_name, run = _what_and_where(data, changes, recipe, out_, resume=resume, new=new)
        if new and not restarts():  # torchrun starts this command again: the run goes on then
            if is_first():
                _start_over(run, chosen, data)
            wait_for_all("started over")

        flags = _machine_flags(device, devices, parallel)
        command = _reproducing_command(data, run, flags) if resume else ["verydeep", *sys.argv[1:]]

        def report(result: TrainResult) -> None:
            write_training_page(
                result, RunFolder(run).report, run=run, recipe_name=recipe_name, command=shlex.join(command),
                wall_seconds=time.perf_counter() - START,
            )  # fmt: skip

        messages = err() if is_first() else silent()
        with (
            stop_on_interrupt(messages) as is_stopped,
            stopped_with_launcher(),
            ByteProgress(messages, _download_text(data, chosen.weights)) as downloaded,
            TrainingProgress(messages, run, is_stopped) as watcher,
            how_to_resume("train", data, run, flags),
        ):
            result = train_network(
                chosen,
                data,
                run,
                device=device,
                parallel=parallel,
                watcher=watcher,
                progress=downloaded,
                report=report,
            )
        if is_first():
            _show(result, as_json=json)
    return 0


def _start_over(run: Path, recipe: Recipe, data: str) -> None:
    """Delete an unfinished run in ``run``, not before images and weights for a new one are there."""
    if not RunFolder(run).is_unfinished:
        return
    with ByteProgress(err(), _download_text(data, recipe.weights)) as progress:
        require_known(data)
        if is_builtin(data):
            classes = load_dataset(data, progress=progress).classes
        else:
            classes = split_samples(read_samples(data), recipe, data).classes
        if recipe.weights is not None:
            pretrained_network(
                recipe.weights, recipe.model, recipe.head, classes, recipe.seed,
                progress=progress,
            )  # fmt: skip
    start_over(run)


def _machine_flags(device: Device, devices: int | None, parallel: Parallel) -> dict[str, object]:
    """Those that say where to train; None for the default."""
    return {
        "--device": None if device == "auto" else device,
        "--devices": devices,
        "--parallel": None if parallel == "data" else parallel,
    }


def _reproducing_command(data: str, run: Path, flags: Mapping[str, object]) -> list[str]:
    """That of a resumed run: --resume would not begin another one."""
    return ["verydeep", "train", data, "--recipe", str(RunFolder(run).recipe), *given_flags(flags)]


def _what_and_where(
    data: str, changes: Mapping[str, Any], recipe: str | None, out_: Path | None, *, resume: bool, new: bool
) -> tuple[Recipe, str, Path]:
    """The recipe, its name, and the run folder, which the first rank decides."""
    if resume:
        run = by_first(lambda: resumed_run(RUNS, "train", out_, new=new))
        chosen = read_recipe(recipe, changes) if recipe else by_first(lambda: unfinished_recipe(run, changes))
        return chosen, str(RunFolder(run).recipe), run
    name = recipe or default_recipe(data, changes.get("weights"))
    chosen = read_recipe(name, changes)
    start = new_start(chosen, data)
    is_new = new and not restarts()  # torchrun starts this command again: the run goes on then
    run = by_first(lambda: started_run(RUNS, run_name(name, data), start, out_, new=is_new))
    return chosen, Path(name).stem, run


def _show(result: TrainResult, *, as_json: bool) -> None:
    wall_seconds = time.perf_counter() - START
    if as_json:
        print_json(_values(result, wall_seconds))
    else:
        out().print(training_summary(result, wall_seconds), soft_wrap=True)
        out().print(f"Report: {RunFolder(result.run).report}", markup=False, soft_wrap=True)


def _download_text(data: str, weights: str | None) -> str:
    """What may be downloaded: a built-in data set, published weights."""
    names = [data] if is_builtin(data) else []
    names += [weights] if weights and not Path(weights).exists() else []
    return f"Downloading {' and '.join(names)}"


def _values(result: TrainResult, wall_seconds: float) -> dict[str, Any]:
    return {
        "run": str(result.run),
        "model": result.architecture.name,
        "test_top1": result.test.top1,
        "test_balanced_accuracy": result.test.balanced_accuracy,
        "seconds": result.seconds,
        "wall_seconds": wall_seconds,
        "epochs": len(result.epochs),
        "parameters": trace(result.architecture).totals.parameters,
        "notes": result.notes,
    }
