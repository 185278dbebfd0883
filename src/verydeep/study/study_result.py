"""The result of a study: the outcomes of its trials, and how and where it was run.

The results of full studies are package data, a JSON file for each: a quick run has them beside its own.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from verydeep.atomic_write import write_text
from verydeep.machine import Device
from verydeep.study.trial import Outcome, Study, Trial
from verydeep.train.device import choose_device, choose_precision, describe
from verydeep.train.epoch_result import EpochResult

RECORDED_EPOCHS = 60
"""How many epochs of a trial are kept at most: as many as a curve has room for."""


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """The outcomes of a study, with its data, command and machine."""

    study: Study
    dataset: str
    """The data set with the number of images and of epochs."""
    outcomes: tuple[Outcome, ...]
    """In the order of the study's trials."""
    findings: tuple[str, ...]
    """In sentences, the main conclusion first."""
    command: str
    machine: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """The sum over all trials."""
        return sum(outcome.seconds for outcome in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, the content of ``study.json``."""
        return {
            "study": self.study.name,
            "data": self.dataset,
            "conclusion": self.findings[0],
            "findings": list(self.findings),
            "seconds": self.seconds,
            "command": self.command,
            "machine": dict(self.machine),
            "outcomes": [asdict(outcome) for outcome in self.outcomes],
        }


def study_result(
    study: Study,
    data: str,
    images: int,
    trials: Sequence[Trial],
    outcomes: Mapping[str, Outcome],
    device: Device,
    flags: Sequence[str] = (),
) -> StudyResult:
    """The result of ``trials`` of ``study``, whose ``outcomes`` are given by name.

    Args:
        study: the study.
        data: the name of the data set.
        images: how many training images it has: a trial that asks for more has all of them.
        trials: those that were run.
        outcomes: of each trial, by its name.
        device: that computed.
        flags: of the command, beside ``--data``.
    """
    chosen, in_order = choose_device(device), tuple(outcomes[trial.name] for trial in trials)
    return StudyResult(
        study=study,
        dataset=_dataset_text(data, images, trials, in_order),
        outcomes=in_order,
        findings=study.conclude(in_order),
        command=shlex.join(["verydeep", "study", study.name, "--data", data, *flags]),
        machine=describe(chosen, choose_precision("auto", chosen)),
    )


def _dataset_text(data: str, images: int, trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> str:
    """``fashion-mnist, 6,000 of the training images, 10 epochs``."""
    asked = [trial.images for trial in trials if trial.images is not None]
    of_all = [count for count in asked if count < images]
    has_all = len(of_all) < len(asked) or any(trial.has_all_images for trial in trials)
    of_each = [trial.images_per_class for trial in trials if trial.images_per_class is not None]
    counts = [
        *([f"{_range(of_all)} of the training images"] if of_all else []),
        *([f"{_range(of_each)} training images a class"] if of_each else []),
        *(["all training images"] if has_all else []),
    ]
    parts = [data, " or ".join(counts)]
    epochs = [run.epochs[-1].epoch for run in outcomes if run.epochs and run.failed is None]
    return ", ".join([*parts, *([f"{_range(epochs)} epochs"] if epochs else [])])


def _range(numbers: Sequence[int]) -> str:
    """``6,000``, or ``50 to 6,000``."""
    return " to ".join(f"{number:,}" for number in sorted({min(numbers), max(numbers)}))


_OUTCOMES = TypeAdapter(tuple[Outcome, ...])


def read_result(study: Study, text: str) -> StudyResult:
    """The result in ``text``: JSON as ``study.json`` has it."""
    values = json.loads(text)
    return StudyResult(
        study=study,
        dataset=values["data"],
        outcomes=_OUTCOMES.validate_python(values["outcomes"]),
        findings=tuple(values["findings"]),
        command=values["command"],
        machine=values["machine"],
    )


def recorded_result(study: Study) -> StudyResult | None:
    """The result of the full ``study`` that comes with the package; None where it was not run yet."""
    file = resources.files("verydeep.study").joinpath("results", f"{study.name}.json")
    return read_result(study, file.read_text("utf-8")) if file.is_file() else None


def record_result(result: StudyResult, folder: Path) -> Path:
    """Write ``result`` into ``folder`` as package data, with ``RECORDED_EPOCHS`` points of long curves.

    Its findings are those of the whole curves.
    """
    outcomes = tuple(replace(outcome, epochs=_thinned(outcome.epochs)) for outcome in result.outcomes)
    file = folder / f"{result.study.name}.json"
    write_text(file, json.dumps(replace(result, outcomes=outcomes).to_dict(), separators=(",", ":")) + "\n")
    return file


def _thinned(epochs: tuple[EpochResult, ...]) -> tuple[EpochResult, ...]:
    """Evenly spaced ``epochs``, the last one among them."""
    step = -(-len(epochs) // RECORDED_EPOCHS) or 1
    return epochs[(len(epochs) - 1) % step :: step]
