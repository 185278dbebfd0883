"""``verydeep tune``: from a folder of one's own images to a classifier, and what it is worth."""

import logging
import re
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self

from cyclopts import Parameter
from rich.console import Console
from rich.progress import TaskID

from verydeep.errors import Interrupted, RecipeError
from verydeep.report.tune_page import write_tune
from verydeep.tables.format import duration
from verydeep.tables.tune_table import tuned_table
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.training_progress import bar
from verydeep.train.class_imbalance import Balance
from verydeep.train.device import Device
from verydeep.train.epoch_result import TunedEpoch
from verydeep.train.run_folder import RunFolder, next_run_path
from verydeep.train.tuning import TuningState
from verydeep.tune.heat_maps import looks
from verydeep.tune.logistic_regression import STRENGTHS
from verydeep.tune.result import (
    Candidate,
    PartSize,
    Reading,
    StrengthPoint,
    TuneResult,
    TuneSettings,
    Wanted,
    Way,
)
from verydeep.tune.tune import TuneWatcher
from verydeep.tune.tune import tune as tune_network
from verydeep.weights.load import load

RUNS = Path("runs")


def tune(
    folder: Annotated[str, Parameter(name="FOLDER")],
    /,
    *,
    weights: str | None = None,
    model: str | None = None,
    head: Literal["auto", "gap", "whole"] = "auto",
    size: int | None = None,
    group_by: str | None = None,
    test: float = 0.2,
    seed: int = 0,
    budget: str = "5m",
    frozen: Annotated[bool, Parameter(negative="")] = False,
    full: Annotated[bool, Parameter(negative="")] = False,
    from_scratch: Annotated[bool, Parameter(negative="")] = False,
    compare: Annotated[bool, Parameter(negative="")] = False,
    balance: Balance = "auto",
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    r"""Make a classifier of the images in FOLDER: a folder for each class, or train and test folders of them.

    Parameters
    ----------
    folder
        The folder. Without a test folder in it, a part is cut off, measured on once, and kept in split.csv.
    weights
        What to begin from: a weight file, a run folder, or a name such as vgg16 for its published weights.
    model
        The network, by name or line; found out from the weights by default.
    head
        gap puts the classes after a global average pool; auto there or a stage below, by images held out;
        whole keeps the hidden layers of the weights.
    size
        Side of the images in px; by default their median short side, from 96 to 224 in steps of 32.
    group_by
        What keeps images together in a split: a pattern for their names, such as 'photo_\d+', or a column.
    test
        The share to test on, where there is no test folder.
    seed
        Picks the split, the folds and the order of training.
    budget
        The time that may be spent, as 90s, 5m or 1h; what would take longer is not begun.
    frozen
        Learn the head alone.
    full
        Train the network on from the learned head.
    from_scratch
        Train a network with new weights.
    compare
        Do all three on the same split, and show them side by side.
    balance
        How small classes are made up for; auto adjusts logits where one is over three times another.
    out_
        The run folder; runs/tune-FOLDER by default.
    device
        Where to compute; auto takes a GPU where there is one.
    json
        Print one JSON object.
    """
    settings = TuneSettings(
        data=folder,
        weights=weights,
        model=model,
        head=head,
        size=size,
        group_by=group_by,
        test=test,
        seed=seed,
        budget=seconds(budget),
        way=_way(frozen=frozen, full=full, from_scratch=from_scratch, compare=compare),
        balance=balance,
    )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # our own lines say what matters
    run = out_ or next_run_path(RUNS, f"tune-{re.sub(r'[^.A-Za-z0-9_-]+', '-', Path(folder).resolve().stem)}")
    with TuneProgress(err()) as progress:
        try:
            result = tune_network(settings, run, device=device, watcher=progress)
        except KeyboardInterrupt:
            raise Interrupted(progress.kept(run)) from None
    write_tune(
        result,
        RunFolder(result.run).report,
        command=shlex.join(["verydeep", *sys.argv[1:]]),
        looks=looks(result, load(result.run)),
    )
    if json:
        print_json(_values(result))
    else:
        _say(result)
    return 0


def _way(**asked: bool) -> Wanted:
    given = [name.replace("_", "-") for name, is_given in asked.items() if is_given]
    if len(given) > 1:
        raise RecipeError(f"--{' and --'.join(given)} cannot be done at once; --compare does all of them")
    ways: dict[str, Wanted] = {
        "frozen": "frozen", "full": "full", "from-scratch": "from-scratch", "compare": "compare"
    }  # fmt: skip
    return ways[given[0]] if given else "auto"


def seconds(text: str) -> float:
    """The length of time that ``text`` writes, as 90s, 5m, 1.5h; a bare number is seconds.

    Raises:
        RecipeError: where it writes none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    if not match:
        raise RecipeError(f"{text!r} is no length of time; write 90s, 5m or 1h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


class TuneProgress(TuneWatcher):
    """A bar for each long part, with what was found as lines above it; the lines alone elsewhere."""

    def __init__(self, console: Console) -> None:
        self.bar = bar(console, "{task.description}")
        self.tasks: dict[str, TaskID] = {}
        self.images = 0
        self.way, self.limit = "", 1.0

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.bar.stop()

    def has_read(self, reading: Reading, parts: tuple[PartSize, ...], size_reason: str) -> None:
        """Two lines."""
        classes = ", ".join(f"{name} {size:,}" for name, size in list(reading.class_sizes.items())[:8])
        groups = f" in {reading.groups:,} groups" if reading.groups else ""
        self._say(f"{reading.name}: {reading.images:,} images{groups}: {classes}")
        self._say(f"{', '.join(f'{part.part} {part.images:,}' for part in parts)}; seen at {size_reason}")

    def computed(self, done: int, total: int) -> None:
        """Move the bar."""
        self.images = done
        self._move("Looking at images", done, total)

    def checked(self, done: int, total: int) -> None:
        """Move the bar."""
        self._move("Checking images", done, total)

    def validated(self, point: StrengthPoint) -> None:
        """Move the bar."""
        self._move("Learning the head", STRENGTHS.index(point.strength) + 1, len(STRENGTHS))

    def begins(self, way: Way, learn: int, val: int, seconds: float) -> None:
        """One line, and a bar of the time."""
        self.way, self.limit = way, seconds
        self._say(
            f"{way}: training on {learn:,} images for at most {duration(seconds)}; {val:,} are held out to "
            "choose by"
        )

    def stepped(self, state: TuningState) -> None:
        """Move the bar."""
        steps = state.epochs * state.steps
        done = max(state.seconds / self.limit, (state.epoch * state.steps + state.step) / max(1, steps))
        self._move(f"Training ({self.way})", min(99, int(100 * done)), 100)

    def finished_epoch(self, epoch: TunedEpoch) -> None:
        """One line."""
        best = " · best so far" if epoch.is_best else ""
        self._say(
            f"epoch {epoch.epoch}/{epoch.epochs} · training loss {epoch.train_loss:.3f} · held out "
            f"{epoch.val_balanced:.2%} balanced · {epoch.seconds:.0f} s{best}"
        )

    def tried(self, candidate: Candidate) -> None:
        """One line."""
        if f"Training ({candidate.way})" in self.tasks:
            self.bar.update(self.tasks[f"Training ({candidate.way})"], visible=False)
        self._move("Learning the head", len(STRENGTHS), len(STRENGTHS))
        if candidate.validation:
            low, high = candidate.validation.interval
            self._say(
                f"{candidate.way}: balanced accuracy {candidate.validation.balanced_accuracy:.2%} "
                f"({low:.1%} to {high:.1%}) on images held out of training, {duration(candidate.seconds)}"
            )

    def kept(self, run: Path) -> str:
        """What an interruption leaves, in words."""
        if (run / "model.safetensors").exists():
            return f"{run} holds the head on the network as it is, whole and ready to use"
        if not self.images:
            return "nothing was computed yet"
        return f"what was computed of {self.images:,} images is kept, and the same command goes on from there"

    def _move(self, text: str, done: int, total: int) -> None:
        if text not in self.tasks:
            self.tasks[text] = self.bar.add_task(text, total=total)
        self.bar.update(self.tasks[text], completed=done, total=total, visible=done < total)

    def _say(self, text: str) -> None:
        self.bar.console.print(text, markup=False, soft_wrap=True)


def _values(result: TuneResult) -> dict[str, Any]:
    """For scripts."""
    return {
        "run": str(result.run),
        "model": result.architecture.name,
        "size": result.preprocess.size,
        "head": result.head_reason,
        "chosen": result.chosen,
        "why": result.why,
        "test": asdict(result.test_score),
        "confusion": result.test.confusion,
        "candidates": [
            {
                "way": each.way,
                "validation": asdict(each.validation) if each.validation else None,
                "test": asdict(each.test) if each.test else None,
                "seconds": each.seconds,
                "note": each.note,
            }
            for each in result.candidates
        ],
        "strength": result.validation.strength if result.validation else None,
        "temperature": result.temperature,
        "broken": [{"name": each.name, "why": each.reason} for each in result.reading.broken],
        "advice": result.advice,
        "seconds": result.seconds,
    }


def _say(result: TuneResult) -> None:
    out().print(tuned_table(result))
    for sentence in result.advice:
        err().print(f"Note: {sentence}", markup=False, soft_wrap=True)
    out().print(f"Report: {RunFolder(result.run).report}", markup=False, soft_wrap=True)
