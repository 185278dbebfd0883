"""The work of ``verydeep study``, which imports PyTorch."""

from collections.abc import Sequence
from pathlib import Path

from verydeep.data.images import Dataset
from verydeep.errors import Interrupted
from verydeep.machine import Device
from verydeep.report.study_page import write_study
from verydeep.study.experiments.transfer_with_weights import transfer_with_weights
from verydeep.study.run_study import default_workers, run_trials
from verydeep.study.study_data import study_images
from verydeep.study.study_result import StudyResult, recorded_result, study_result
from verydeep.study.trial import Outcome, Study, Trial
from verydeep.tables.study_table import published_table, runs_table
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.progress import ByteProgress
from verydeep.terminal.table_flags import print_table
from verydeep.terminal.training_progress import TrialProgress

WITH_WEIGHTS = {"transfer": transfer_with_weights}
"""The studies that take published weights."""


def study_from_flags(
    chosen: Study,
    folder: Path,
    *,
    data: str,
    group_by: str | None,
    weights: str | None,
    full: bool,
    seeds: int | None,
    workers: int | None,
    device: Device,
    json: bool,
) -> int:
    """Run what is missing in ``folder`` of the study, write its files, and show the results."""
    with ByteProgress(err(), f"Fetching {data}") as progress:
        dataset, notes = study_images(data, group_by, progress)
    for note in notes:
        err().print(f"Note: {note}", markup=False, soft_wrap=True)
    if weights is not None:
        with ByteProgress(err(), f"Fetching {weights}") as progress:
            chosen = WITH_WEIGHTS[chosen.name](weights, dataset, progress)
    trials = chosen.trials_up_to(seeds, full)
    outcomes = _outcomes(chosen, trials, dataset, folder, workers or default_workers(device), device)
    given = {"group-by": group_by, "weights": weights, "seeds": seeds}
    flags = [f"--{flag}={value}" for flag, value in given.items() if value is not None]
    flags = [*(["--full"] if full else []), *flags]
    result = study_result(chosen, data, len(dataset.train), trials, outcomes, device, flags)
    recorded = None if full or weights is not None else recorded_result(chosen)
    page = write_study(result, recorded, folder)
    if json:
        beside = recorded and {key: value for key, value in recorded.to_dict().items() if key != "outcomes"}
        print_json({**result.to_dict(), "full": beside, "folder": str(folder)})
        return 0
    _show("This study", result)
    if recorded is not None:
        _show("The full study, which comes with verydeep", recorded)
    if chosen.published is not None:
        out().print(f"\n{chosen.published.caption}", markup=False, soft_wrap=True)
        print_table(published_table(chosen.published))
    out().print(f"\nReport: {page}", markup=False, soft_wrap=True)
    return 0


def _outcomes(
    chosen: Study, trials: Sequence[Trial], dataset: Dataset, folder: Path, workers: int, device: Device
) -> dict[str, Outcome]:
    """Those of all ``trials``, by name."""
    outcomes: dict[str, Outcome] = {}
    try:
        with TrialProgress(err(), f"study {chosen.name}", len(trials)) as progress:
            for outcome in run_trials(trials, dataset, folder / "runs", workers=workers, device=device):
                outcomes[outcome.name] = outcome
                progress.finished(outcome)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{len(outcomes)} of {len(trials)} runs are finished and saved in {folder}. "
            "Run the same command again to continue"
        ) from None
    return outcomes


def _show(heading: str, result: StudyResult) -> None:
    out().print(f"\n{heading}: {result.dataset}", markup=False, soft_wrap=True)
    print_table(runs_table(result.outcomes))
    findings = "\n".join(result.findings)
    out().print(f"\n{findings}", markup=False, soft_wrap=True)
