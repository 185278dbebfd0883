"""``verydeep study``: a prepared experiment, from its trials to its page."""

import json as json_
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from verydeep.atomic_write import atomic_write
from verydeep.data.builtin import load_dataset
from verydeep.errors import Interrupted
from verydeep.report.study_page import StudyReport, markdown, write_study
from verydeep.study.run_study import default_workers, run_trials
from verydeep.study.studies import STUDIES, find
from verydeep.study.trial import Study, Trial
from verydeep.tables.data_table import terminal
from verydeep.tables.study_table import runs_sheet, studies_sheet
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.progress import ByteProgress
from verydeep.terminal.training_progress import TrialProgress
from verydeep.train.device import Device, choose_device, choose_precision, describe

FOLDER = Path("studies")
"""Where studies go that are given no place."""


def study(
    name: Annotated[str | None, Parameter(name="NAME")] = None,
    /,
    *,
    data: str = "fashion-mnist",
    full: Annotated[bool, Parameter(negative="")] = False,
    seeds: int | None = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    workers: int | None = None,
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a prepared experiment and write its page.

    Parameters
    ----------
    name
        depth, init, gradients, residual, kernel or split; without a name, what each asks.
    data
        The data set to study on.
    full
        All training images, more epochs and more seeds: hours in place of minutes.
    seeds
        At most so many seeds (or splits) of each variant.
    out_
        The study's folder; studies/NAME by default. Runs that it holds are not made again.
    workers
        Runs at once; one a core by default, one on a GPU.
    device
        Where to train; auto takes a GPU where there is one.
    json
        Print one JSON object.
    """
    if name is None:
        _list(json)
        return 0
    chosen, folder = find(name), out_ or FOLDER / (f"{name}-full" if full else name)
    trials = [trial for trial in chosen.trials(full) if seeds is None or _is_among_first(trial, seeds)]
    with ByteProgress(err(), f"Fetching {data}") as progress:
        load_dataset(data, progress=progress)  # once, before the workers want it
    report = _run(chosen, trials, data, folder, workers or default_workers(device), device)
    write_study(report, folder / "study.html")
    values = _values(report)
    _write(folder / "study.json", json_.dumps(values, indent=1))
    _write(folder / "study.md", markdown(report))
    if json:
        print_json({**values, "folder": str(folder)})
    else:
        out().print(terminal(runs_sheet(report.outcomes)))
        said = "\n".join(report.findings)
        out().print(f"\n{said}\n\nReport: {folder / 'study.html'}", markup=False, soft_wrap=True)
    return 0


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _list(json: bool) -> None:
    if json:
        print_json(
            [
                {"name": study.name, "title": study.title, "question": study.question}
                for study in STUDIES.values()
            ]
        )
    else:
        out().print(terminal(studies_sheet(list(STUDIES.values()))))


def _is_among_first(trial: Trial, seeds: int) -> bool:
    return trial.recipe.seed < seeds and (trial.split or 0) < seeds


def _run(
    study: Study, trials: list[Trial], data: str, folder: Path, workers: int, device: Device
) -> StudyReport:
    outcomes = {}
    try:
        with TrialProgress(err(), f"study {study.name}", len(trials)) as progress:
            for outcome in run_trials(trials, data, folder / "runs", workers=workers, device=device):
                outcomes[outcome.name] = outcome
                progress.finished(outcome)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{len(outcomes)} of {len(trials)} runs are done and kept in {folder}. The same command goes on"
        ) from None
    chosen = choose_device(device)
    return StudyReport(
        study=study,
        dataset=_data_in_words(data, trials),
        outcomes=tuple(outcomes[trial.name] for trial in trials),
        command=shlex.join(["verydeep", "study", study.name, "--data", data]),
        machine=describe(chosen, choose_precision("auto", chosen)),
    )


def _data_in_words(data: str, trials: list[Trial]) -> str:
    images, epochs = trials[0].images, trials[0].recipe.epochs
    part = "all training images" if images is None else f"{images:,} of the training images"
    return f"{data}, {part}" + (f", {epochs} epochs" if trials[0].kind == "training" else "")


def _values(report: StudyReport) -> dict[str, Any]:
    return {
        "study": report.study.name,
        "data": report.dataset,
        "conclusion": report.findings[0],
        "findings": list(report.findings),
        "seconds": report.seconds,
        "machine": dict(report.machine),
        "outcomes": [asdict(outcome) for outcome in report.outcomes],
    }
