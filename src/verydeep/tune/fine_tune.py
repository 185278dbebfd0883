"""The strategies that train the network itself: fine-tuning from the linear probe, and training from scratch.

Fine-tuning starts with a head that already fits, so that no large gradients reach features that are good
(LP-FT, Kumar et al. 2022, arXiv 2202.10054). Both are the training loop of `verydeep train`.
"""

import json
import time
from dataclasses import asdict, replace
from math import inf

import torch
from pydantic import TypeAdapter

from verydeep.atomic_write import write_text
from verydeep.data.images import Images
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.errors import CheckpointError
from verydeep.foreign_text import error_text
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.stages import copy_trainable
from verydeep.train.divergence import Flags
from verydeep.train.recipe import Recipe
from verydeep.train.run import Job, Trained, fabric_on, run_training
from verydeep.train.run_folder import RunFolder, read_metrics
from verydeep.train.start.new_network import require_nothing_frozen, with_options
from verydeep.train.start.pretrained import with_dropout
from verydeep.train.state import trained_stages
from verydeep.tune.budget import Plan, Skipped
from verydeep.tune.config import SHARED, UNUSED, Strategy
from verydeep.tune.prepare import Task

_PLAN: TypeAdapter[Plan | Skipped] = TypeAdapter(Plan | Skipped)


def fine_tune(
    task: Task,
    start: Checkpoint,
    recipe: Recipe,
    train: Images | ImagesOnDisk,
    val: Images | ImagesOnDisk,
    folder: RunFolder,
    limit: float,
    least_epochs: int,
) -> Trained:
    """``start``, whose last layer is the linear probe, trained by ``recipe``; its own tensors do not change.

    Args:
        task: for the device and the watcher.
        start: the network as training starts.
        recipe: with the stages to freeze and the epochs decided.
        train: the images to train on.
        val: the images to choose the epoch by.
        folder: where the training state is saved.
        limit: seconds after which the epochs are cut down.
        least_epochs: that are trained whatever the limit.
    """
    network = with_dropout(start, recipe.dropout)
    model = copy_trainable(network.model, trained_stages(recipe, network.model.architecture))
    network = replace(network, model=model)
    return _train(task, "fine-tune", network, recipe, train, val, folder, limit, least_epochs)


def train_from_scratch(
    task: Task,
    like: Checkpoint,
    recipe: Recipe,
    train: Images | ImagesOnDisk,
    val: Images | ImagesOnDisk,
    folder: RunFolder,
    limit: float,
) -> Trained:
    """A network such as ``like`` with random weights, trained by ``recipe``; see ``fine_tune``."""
    require_nothing_frozen(recipe)
    torch.manual_seed(recipe.seed)
    model = build(with_options(like.model.architecture, recipe), recipe.init)
    network = replace(like, model=model.to(task.device), origin={"seed": recipe.seed})
    return _train(task, "scratch", network, recipe, train, val, folder, limit)


def _train(
    task: Task,
    strategy: Strategy,
    network: Checkpoint,
    recipe: Recipe,
    train: Images | ImagesOnDisk,
    val: Images | ImagesOnDisk,
    folder: RunFolder,
    limit: float,
    least_epochs: int = 0,
) -> Trained:
    job = Job(
        name=strategy,
        recipe=recipe,
        network=network,
        train=train,
        val=val,
        state=folder.state_of(strategy),
        metrics=folder.metrics_of(strategy),
        flags=Flags(f"--{strategy}.", SHARED | UNUSED[strategy.replace("-", "_")]),
    )
    if read_metrics(job.metrics, 1):
        limit = inf  # resumed after an epoch, which has settled their number: the clock must not change it
    torch.manual_seed(recipe.seed)  # of dropout
    deadline = time.perf_counter() + limit
    fabric = fabric_on(task.device, recipe.precision)
    return run_training(job, fabric, task.watcher, deadline=deadline, least_epochs=least_epochs)


def save_plan(plan: Plan | Skipped, folder: RunFolder) -> None:
    """Keep ``plan``, or why there is none: a resumed run must not make another one, as time has passed."""
    write_text(folder.plan, json.dumps(asdict(plan)))


def saved_plan(folder: RunFolder) -> Plan | Skipped | None:
    """The plan of an unfinished run, or why it has none; None where that was not asked yet.

    Raises:
        CheckpointError: where the file is damaged.
    """
    if not folder.plan.exists():
        return None
    try:
        return _PLAN.validate_json(folder.plan.read_bytes())
    except ValueError as error:
        raise CheckpointError(
            f"{folder.plan} is damaged: {error_text(error)}. Start over with --new"
        ) from None
