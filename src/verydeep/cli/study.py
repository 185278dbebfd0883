"""``verydeep study``: a prepared experiment, its trials and its report."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from verydeep.data.builtin_names import is_builtin, require_known
from verydeep.errors import Interrupted, RecipeError
from verydeep.machine import Device
from verydeep.report.study_page import write_study
from verydeep.study.run_study import default_workers, run_trials
from verydeep.study.studies import STUDIES, find_study
from verydeep.study.study_data import study_images
from verydeep.study.study_result import StudyResult, recorded_result, study_result
from verydeep.study.trial import Outcome, Study
from verydeep.tables.data_table import terminal_table
from verydeep.tables.study_table import published_table, runs_table, studies_table
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.progress import ByteProgress
from verydeep.terminal.training_progress import TrialProgress

FOLDER = Path("studies")
"""The default parent folder of studies."""


def study(
    name: Annotated[str | None, Parameter(name="NAME")] = None,
    /,
    *,
    data: str = "fashion-mnist",
    group_by: str | None = None,
    weights: str | None = None,
    full: Annotated[bool, Parameter(negative="")] = False,
    seeds: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    workers: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a prepared experiment and write its report.

    Parameters
    ----------
    name
        depth, kernel, init, gradients, residual, batchnorm, alexnet, head, augmentation, overfitting,
        transfer, split or compress; without a name, the studies are listed.
    data
        A built-in data set; in transfer with weights also your own images, a folder with a folder for each
        class.
    group_by
        What keeps your own images together in the split: a pattern for their names, a column, or duplicates.
    weights
        In transfer: published weights such as vgg16, instead of a network trained on other classes.
    full
        All training images or more of them, and more epochs or seeds: hours instead of minutes.
    seeds
        The maximum number of seeds (or splits) of each variant.
    out_
        The folder of the study; studies/NAME by default. Finished runs in it are not repeated.
    workers
        The number of parallel runs; by default one per core, or one on a GPU.
    device
        The device to train on; auto uses a GPU if there is one.
    json
        Print one JSON object.
    """
    if name is None:
        return _list_studies(json)
    chosen, folder = find_study(name), out_ or FOLDER / _folder_name(name, weights, full)
    _require_fitting(chosen, data, weights)
    with ByteProgress(err(), f"Fetching {data}") as progress:
        dataset, notes = study_images(data, group_by, progress)
    for note in notes:
        err().print(f"Note: {note}", markup=False, soft_wrap=True)
    if weights is not None and chosen.with_weights is not None:
        with ByteProgress(err(), f"Fetching {weights}") as progress:
            chosen = chosen.with_weights(weights, dataset, progress)
    trials = chosen.trials_up_to(seeds, full)
    outcomes: dict[str, Outcome] = {}
    try:
        with TrialProgress(err(), f"study {chosen.name}", len(trials)) as trial_progress:
            for outcome in run_trials(
                trials, dataset, folder / "runs", workers=workers or default_workers(device), device=device
            ):
                outcomes[outcome.name] = outcome
                trial_progress.finished(outcome)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{len(outcomes)} of {len(trials)} runs are finished and saved in {folder}. "
            "Run the same command again to continue"
        ) from None
    given = {"group-by": group_by, "weights": weights, "seeds": seeds}
    flags = [f"--{flag}={value}" for flag, value in given.items() if value is not None]
    result = study_result(chosen, data, trials, outcomes, device, [*(["--full"] if full else []), *flags])
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
        out().print(terminal_table(published_table(chosen.published)))
    out().print(f"\nReport: {page}", markup=False, soft_wrap=True)
    return 0


def _folder_name(name: str, weights: str | None, full: bool) -> str:
    """``transfer-vgg16-full``."""
    parts = [name, *([Path(weights).stem] if weights is not None else []), *(["full"] if full else [])]
    return "-".join(parts)


def _require_fitting(study: Study, data: str, weights: str | None) -> None:
    """Refuse weights, or images, that ``study`` cannot use, before anything is read."""
    if weights is not None and study.with_weights is None:
        raise RecipeError(f"{study.name} trains all its networks itself; --weights is for transfer")
    require_known(data)
    if not is_builtin(data) and weights is None:
        raise RecipeError(
            f"{study.name} is about the built-in data sets. Your own images are for `verydeep study transfer "
            "--data PHOTOS --weights vgg16`"
        )


def _show(heading: str, result: StudyResult) -> None:
    out().print(f"\n{heading}: {result.dataset}", markup=False, soft_wrap=True)
    out().print(terminal_table(runs_table(result.outcomes)))
    findings = "\n".join(result.findings)
    out().print(f"\n{findings}", markup=False, soft_wrap=True)


def _list_studies(json: bool) -> int:
    if json:
        print_json([study.to_dict() for study in STUDIES.values()])
    else:
        out().print(terminal_table(studies_table(list(STUDIES.values()))))
    return 0
