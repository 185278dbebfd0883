"""``verydeep train``: from a data set, or your own images, to a run folder with its report."""

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from verydeep.machine import Device, Parallel
from verydeep.quick_imports import quick_imports
from verydeep.terminal.image_argument import Location
from verydeep.terminal.recipe_flags import RecipeFlags, given
from verydeep.terminal.unfit_flags import refuse_beside
from verydeep.torchrun import is_launched
from verydeep.train.recipe import default_recipe, read_recipe


def train(
    data: Annotated[Location, Parameter(name="DATA")],
    /,
    *,
    recipe: str | None = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    resume_: Annotated[bool, Parameter(name="--resume", negative="", show_default=False)] = False,
    new: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    device: Device = "auto",
    devices: Annotated[int | None, Parameter(validator=Number(gte=1), show_default=False)] = None,
    parallel: Parallel = "data",
    estimate: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    settings: Annotated[
        RecipeFlags | None, Parameter(name="*", group=Group("Recipe", sort_key=1), show_default=False)
    ] = None,
) -> int:
    """Train a network on DATA: a built-in data set, or your own images.

    Parameters
    ----------
    data
        A built-in data set (fashion-mnist, cifar10, cifar100, synthetic), or your own images: one folder per
        class (or train and test folders of these), a list, or shards.
    recipe
        A name (`verydeep recipes`) or a TOML file; by default fine-tune with --weights, else fast for a
        built-in data set and scratch for your own images.
    out_
        The run folder; runs/RECIPE-DATA by default.
    resume_
        Resume the run in --out, or the last one that is unfinished; the same command without it does so too.
    new
        Start over: neither continue nor keep an unfinished run in --out.
    device
        Where to train; auto uses a GPU where there is one.
    devices
        Train on so many devices of this machine, with a process for each; torchrun starts them on several
        machines. They share the slices of each batch.
    parallel
        How several devices share the work: the images alone, or with hybrid also the weights of two hidden
        layers of the head, as in VGG.
    estimate
        Train on one device for a few seconds only, write nothing, and print how long the whole training takes
        on it.
    json
        Print one JSON object.
    settings
        Every value of the recipe; a flag comes before the recipe.
    """
    if estimate:
        refuse_beside("--estimate", {
            "--resume": resume_, "--new": new, "--out": out_, f"--parallel {parallel}": parallel != "data",
        })  # fmt: skip
    changes = given(settings)
    name = recipe or default_recipe(data, changes.get("weights"))
    if not (resume_ or is_launched()):
        read_recipe(name, changes)  # a mistake in it is told before PyTorch is imported
    with quick_imports():
        from verydeep.cli.train.run import print_estimate, train_from_flags

    if estimate:
        return print_estimate(data, name, changes, device=device, devices=devices, as_json=json)
    return train_from_flags(
        data,
        changes,
        recipe=recipe,
        out_=out_,
        resume=resume_,
        new=new,
        device=device,
        devices=devices,
        parallel=parallel,
        json=json,
    )
