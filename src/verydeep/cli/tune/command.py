"""``verydeep tune``: from a folder of your own images to a classifier, with its measured accuracy."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from verydeep.errors import RecipeError
from verydeep.machine import Device
from verydeep.quick_imports import quick_imports
from verydeep.terminal.image_argument import Location
from verydeep.terminal.output_path import require_writable_folder
from verydeep.terminal.recipe_flags import TuneFlags, given
from verydeep.terminal.run_choice import resumed_run, started_run
from verydeep.train.run_folder import run_name
from verydeep.tune.config import (
    TuneConfig,
    config_from_run,
    new_start,
    read_tune_config,
    unfinished_config,
)

RUNS = Path("runs")
"""The folder of runs without --out."""


def tune(
    location: Annotated[Location, Parameter(name="FOLDER")],
    /,
    *,
    recipe: Path | None = None,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    resume_: Annotated[bool, Parameter(name="--resume", negative="", show_default=False)] = False,
    new: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    settings: Annotated[
        TuneFlags | None, Parameter(name="*", group=Group("Settings", sort_key=1), show_default=False)
    ] = None,
) -> int:
    """Make a classifier of the images in FOLDER, and decide how: linear probe, fine-tuning, head and size.

    Parameters
    ----------
    location
        Your images: one folder per class (or train and test folders of these), a list, or shards.
    recipe
        A TOML file of settings, such as the tune.toml of an earlier run, which holds all that it decided.
    from_
        The run folder of an earlier tuning of FOLDER, to which images were added since: its choices and its
        split are kept, and both classifiers are compared on the same test images.
    out_
        The run folder; runs/tune-FOLDER by default.
    resume_
        Resume the run in --out, or the last one that is unfinished; the same command without it does so too.
    new
        Start over: neither continue nor keep an unfinished run in --out.
    device
        Where to compute; auto uses a GPU where there is one.
    json
        Print one JSON object.
    settings
        Every value of the TOML file; a flag comes before the file.
    """
    require_writable_folder(out_ or RUNS)
    changes = given(settings)
    run = resumed_run(RUNS, "tune", out_, new=new) if resume_ else None
    if run is not None and recipe is None and from_ is None:
        config = unfinished_config(run, changes)
    else:
        config = _config(recipe, from_, changes)
    # PyTorch, which a mistake need not wait for.
    with quick_imports():
        from verydeep.cli.tune.run import tune_from_flags

    if run is None:
        run = started_run(RUNS, run_name("tune", location), new_start(config, location), out_, new=new)
    return tune_from_flags(location, config, run, resume=resume_, new=new, device=device, json=json)


def _config(recipe: Path | None, earlier: Path | None, changes: dict[str, Any]) -> TuneConfig:
    if earlier is None:
        return read_tune_config(recipe, changes)
    if recipe is not None:
        raise RecipeError("--from takes the choices of a run and --recipe those of a file; give one of them")
    return config_from_run(earlier, changes)
