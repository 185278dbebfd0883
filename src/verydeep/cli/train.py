"""``verydeep train``: from a data set's name to a run folder with its report."""

import logging
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

from cyclopts import Group, Parameter

from verydeep.analyze.trace import trace
from verydeep.data.builtin import load_dataset
from verydeep.data.images import Dataset
from verydeep.errors import Interrupted, RecipeError
from verydeep.report.training_page import RunReport, write_page
from verydeep.tables.format import duration, percent, wilson_interval
from verydeep.terminal.console import START, err, out, print_json
from verydeep.terminal.progress import ByteProgress
from verydeep.terminal.recipe_flags import RecipeFlags, given
from verydeep.terminal.training_progress import TrainingProgress
from verydeep.train.device import Device
from verydeep.train.recipe import Recipe, read_recipe, to_toml
from verydeep.train.run_folder import RunFolder, latest_unfinished_run, next_run_path
from verydeep.train.train import RunResult, resume, start

RUNS = Path("runs")
"""Where runs go that are given no place."""


def train(
    data: Annotated[str, Parameter(name="DATA")],
    /,
    *,
    recipe: str = "fast",
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    resume_: Annotated[bool, Parameter(name="--resume", negative="")] = False,
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
    settings: Annotated[
        RecipeFlags | None, Parameter(name="*", group=Group("Recipe"), show_default=False)
    ] = None,
) -> int:
    """Train a network on DATA: fashion-mnist, cifar10, cifar100 or synthetic.

    Parameters
    ----------
    data
        The name of a data set; it is fetched on first use.
    recipe
        A recipe's name (`verydeep recipes`) or a TOML file.
    out_
        The run folder; runs/RECIPE-DATA by default.
    resume_
        Go on with the run in --out, or with the last one that is unfinished.
    device
        Where to train; auto takes a GPU where there is one.
    json
        Print one JSON object as the last line.
    settings
        Every value of the recipe; what is given here comes before what the recipe says.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # our own lines say what matters
    changes = given(settings)
    if resume_ and changes:
        raise RecipeError(
            f"a resumed run keeps its recipe: leave out --{', --'.join(changes)}, or start anew"
        )
    chosen = None if resume_ else read_recipe(recipe, changes)
    run = out_ or _default_run(chosen, f"{Path(recipe).stem}-{data}")
    with ByteProgress(err(), f"Fetching {data}") as progress:
        dataset = load_dataset(data, progress=progress)
    with _stop_on_interrupt() as is_stopped, TrainingProgress(err(), is_stopped) as watcher:
        try:
            if chosen is None:
                result = resume(dataset, run, device=device, watcher=watcher)
            else:
                result = start(chosen, dataset, run, device=device, watcher=watcher)
        except Interrupted as error:
            go_on = shlex.join(["verydeep", "train", data, "--resume", "--out", str(run)])
            raise Interrupted(f"{error}. Go on by: {go_on}") from None
    wall_seconds = time.perf_counter() - START
    write_page(_report(result, dataset, Path(recipe).stem, wall_seconds), RunFolder(run).report)
    if json:
        print_json(_values(result, wall_seconds))
    else:
        _say(result, wall_seconds)
    return 0


def _default_run(recipe: Recipe | None, name: str) -> Path:
    return latest_unfinished_run(RUNS) if recipe is None else next_run_path(RUNS, name)


@contextmanager
def _stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a wish, granted between two steps; the second one stops at once."""
    wishes: list[int] = []

    def wish(number: int, frame: FrameType | None) -> None:
        if wishes:
            raise KeyboardInterrupt
        wishes.append(number)
        err().print("Stopping after this step; press Ctrl-C again to stop without saving")

    before = signal.signal(signal.SIGINT, wish)
    try:
        yield lambda: bool(wishes)
    finally:
        signal.signal(signal.SIGINT, before)


def _values(result: RunResult, wall_seconds: float) -> dict[str, Any]:
    return {
        "run": str(result.run),
        "model": result.architecture.name,
        "test_top1": result.test.top1,
        "seconds": result.seconds,
        "wall_seconds": wall_seconds,
        "epochs": len(result.epochs),
        "parameters": trace(result.architecture).totals.parameters,
    }


def _say(result: RunResult, wall_seconds: float) -> None:
    low, high = wilson_interval(round(result.test.top1 * result.test.images), result.test.images)
    console = out()
    console.print(
        f"Test accuracy [bold]{percent(result.test.top1)}[/] "
        f"(95 % interval {percent(low)} to {percent(high)}) on {result.test.images:,} images, "
        f"after {duration(result.seconds)} of training ({duration(wall_seconds)} in all)",
        soft_wrap=True,
    )
    console.print(
        f"Balanced accuracy {percent(result.test.balanced_accuracy)}, "
        f"macro-F1 {percent(result.test.macro_f1)}",
        soft_wrap=True,
    )
    console.print(f"Report: {RunFolder(result.run).report}", markup=False, soft_wrap=True)


def _report(result: RunResult, dataset: Dataset, recipe_name: str, wall_seconds: float) -> RunReport:
    architecture, totals = result.architecture, trace(result.architecture).totals
    return RunReport(
        title=f"{architecture.name} on {dataset.name}",
        dataset=dataset.name,
        model=architecture.name,
        architecture_string=architecture.string,
        parameters=totals.parameters,
        macs=totals.macs,
        input=architecture.input,
        epochs=result.epochs,
        validation=result.validation,
        test=result.test,
        mistakes=tuple((mistake, dataset.test.pixels[mistake.index].numpy()) for mistake in result.mistakes),
        recipe_name=recipe_name,
        recipe_toml=to_toml(result.recipe),
        command=shlex.join(["verydeep", *sys.argv[1:]]),
        machine=result.machine,
        seed=result.recipe.seed,
        started=result.started,
        seconds=result.seconds,
        wall_seconds=wall_seconds,
    )
