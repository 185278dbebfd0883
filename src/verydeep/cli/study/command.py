"""``verydeep study``: a prepared experiment, its trials and its report."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from verydeep.data.builtin_names import is_builtin, require_known
from verydeep.errors import RecipeError
from verydeep.machine import Device
from verydeep.quick_imports import quick_imports
from verydeep.study.studies import STUDIES, find_study
from verydeep.study.trial import Study
from verydeep.tables.study_table import studies_table
from verydeep.terminal.console import print_json
from verydeep.terminal.table_flags import print_table
from verydeep.train.run_folder import run_name

FOLDER = Path("studies")
"""The default parent folder of studies."""
DATA = "fashion-mnist"
"""The default data set."""


def study(
    name: Annotated[str | None, Parameter(name="NAME")] = None,
    /,
    *,
    data: str = DATA,
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
        The folder of the study; by default studies/NAME, to which --data, --weights and --full add, as in
        studies/transfer-photos-vgg16-full. Finished runs in it are not repeated.
    workers
        The number of parallel runs; by default one per core, or one on a GPU.
    device
        The device to train on; auto uses a GPU if there is one.
    json
        Print one JSON object.
    """
    if name is None:
        return _list_studies(json)
    chosen, folder = find_study(name), out_ or default_folder(name, data, weights, full)
    _require_fitting(chosen, data, weights)
    # PyTorch, which the list and a mistake need not wait for.
    with quick_imports():
        from verydeep.cli.study.run import study_from_flags

    return study_from_flags(
        chosen,
        folder,
        data=data,
        group_by=group_by,
        weights=weights,
        full=full,
        seeds=seeds,
        workers=workers,
        device=device,
        json=json,
    )


def default_folder(name: str, data: str, weights: str | None, full: bool) -> Path:
    """``studies/transfer-photos-vgg16-full``: data of another name gets another folder."""
    parts = (
        name if data == DATA else run_name(name, data),
        Path(weights).stem if weights else None,
        "full" if full else None,
    )
    return FOLDER / "-".join(part for part in parts if part)


def _require_fitting(study: Study, data: str, weights: str | None) -> None:
    """Refuse weights, or images, that ``study`` cannot use, before anything is read."""
    if weights is not None and not study.takes_weights:
        raise RecipeError(f"{study.name} trains all its networks itself; --weights is for transfer")
    require_known(data)
    if not is_builtin(data) and weights is None:
        raise RecipeError(
            f"{study.name} is about the built-in data sets. Your own images are for `verydeep study transfer "
            "--data PHOTOS --weights vgg16`"
        )


def _list_studies(json: bool) -> int:
    if json:
        print_json([study.to_dict() for study in STUDIES.values()])
    else:
        print_table(studies_table(list(STUDIES.values())))
    return 0
