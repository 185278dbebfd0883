"""How long a training will take on this machine, told before it: its own first steps are timed."""

import time
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Int64
from lightning_fabric import Fabric
from torch import Tensor

from verydeep.analyze.trace import trace
from verydeep.data.images import Dataset
from verydeep.decoding.crop import default_decoder
from verydeep.download.download import Progress
from verydeep.errors import Interrupted, LearningError, RecipeError
from verydeep.inputs.batch_source import BatchSource, Plan, TrainingBatch, TrainingInputs
from verydeep.inputs.share import Share
from verydeep.inputs.waiting import Waiting
from verydeep.machine import Device
from verydeep.number_format import duration, percent
from verydeep.train.device import choose_device, choose_precision, describe
from verydeep.train.loop import fit
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.prepare import prepare
from verydeep.train.recipe import Recipe
from verydeep.train.run import fabric_on, training_inputs
from verydeep.train.state import TrainingState, initial_state

LEAST_SECONDS, LEAST_STEPS = 5.0, 2
"""Of steps that are timed; the first step, which warms up and may compile, is not."""
MACS_OF_STEP = 1e12
"""On a CPU, where more images in a step are no faster: VGG16 at 224 px then has 21 images in a step."""
PASSES = 3
"""A backward pass computes two products for each one of the forward pass."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a training by a recipe on some images costs."""

    images: int
    """To train on."""
    epochs: int
    images_of_all_epochs: int
    """Fewer than ``images`` times ``epochs`` where later epochs train on the hardest images."""
    macs: int
    """Multiply-adds of a forward pass of one image."""
    images_per_second: float
    """Of training, with reading and augmentation."""
    data_wait: float
    """The share of the time in which the network waited for images, from 0 to 1."""
    device: str
    precision: str

    @property
    def seconds(self) -> float:
        """For all epochs, without validation."""
        return self.images_of_all_epochs / self.images_per_second

    @property
    def training_macs(self) -> float:
        """Multiply-adds of all forward and backward passes."""
        return float(PASSES * self.macs * self.images_of_all_epochs)

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "seconds": self.seconds,
            "images": self.images,
            "epochs": self.epochs,
            "images_of_all_epochs": self.images_of_all_epochs,
            "macs": self.macs,
            "training_macs": self.training_macs,
            "images_per_second": self.images_per_second,
            "data_wait": self.data_wait,
            "device": self.device,
            "precision": self.precision,
        }

    @property
    def text(self) -> str:
        """In two lines."""
        images = f" of {self.images:,} images"
        if self.images_of_all_epochs < self.epochs * self.images:
            images = f", {self.images_of_all_epochs:,} images in all"
        return (
            f"About {duration(self.seconds)} for {self.epochs:,} epochs{images}, without "
            f"validation: {self.training_macs:.2g} multiply-adds\n"
            f"Measured here: {self.images_per_second:,.1f} images/s on {self.device} in {self.precision}; "
            f"the network waited for images in {percent(self.data_wait, 0)} of the time"
        )


def estimate_training(
    recipe: Recipe, data: Dataset | str, *, device: Device = "auto", progress: Progress | None = None
) -> Estimate:
    """Time the first steps of the training by ``recipe`` on ``data``; nothing is written.

    Args:
        recipe: the training configuration.
        data: as ``train_network`` takes it.
        device: where to train; auto uses a GPU where there is one.
        progress: called while a built-in data set or published weights are downloaded.

    Raises:
        RecipeError, DataError, CheckpointError, ShapeError: as ``train_network``.
    """
    if recipe.freeze not in (0, "auto"):
        raise RecipeError(
            f"freeze is {recipe.freeze}: the feature maps of frozen stages are computed once, and that is "
            "not estimated; the training itself shows how long it takes"
        )
    chosen = choose_device(device)
    prepared = prepare(recipe, data, progress, default_decoder())
    train, network = prepared.dataset.train, prepared.network
    macs = trace(network.model.architecture).totals.macs
    epochs = recipe.planned_epochs(len(train))
    batch = min(recipe.batch_size, len(train))
    images = recipe.steps_per_epoch(len(train)) * batch
    short = _short(recipe, macs, chosen)
    fabric = fabric_on(chosen, recipe.precision)
    state = initial_state(short, network.model, len(train), fabric)
    with training_inputs(short, state, network.preprocess, train, None, fabric) as inputs:
        rate, wait = _measure(state, short, inputs.train, fabric)
    described = describe(chosen, choose_precision(recipe.precision, chosen))
    return Estimate(
        images=images, epochs=epochs, images_of_all_epochs=recipe.steps_before(len(train), epochs) * batch,
        macs=macs, images_per_second=rate, data_wait=wait,
        device=described["device"], precision=described["precision"],
    )  # fmt: skip


def _short(recipe: Recipe, macs: int, device: torch.device) -> Recipe:
    """``recipe`` without what needs validation images, and on a CPU with steps of few images."""
    batch_size = recipe.batch_size
    if device.type == "cpu":
        enough = max(2 * recipe.slices, int(MACS_OF_STEP / (PASSES * macs)))
        batch_size = min(batch_size, enough)
    return replace(
        recipe, batch_size=batch_size, validation=0.0, keep="last", early_stopping=0,
        schedule=ScheduleConfig(name="constant"),
    )  # fmt: skip


def _measure(
    state: TrainingState, recipe: Recipe, source: BatchSource, fabric: Fabric
) -> tuple[float, float]:
    """Images per second, and the share of the time in which the network waited for them."""
    watched, size = _WatchedSource(source), min(recipe.batch_size, len(source.labels))
    ends, waited = [time.perf_counter()], [0.0]  # at the start, and then at the end of each step

    def after_step(state: TrainingState) -> None:
        if fabric.device.type != "cpu":  # its steps are only queued
            torch.accelerator.synchronize()
        ends.append(time.perf_counter())
        waited.append(watched.waiting.seconds)
        if len(ends) - 2 >= LEAST_STEPS and ends[-1] - ends[1] > LEAST_SECONDS:
            raise Interrupted("enough steps were timed")

    with suppress(Interrupted, LearningError):  # whether it learns is not asked here
        for _ in fit(state, recipe, TrainingInputs(watched, None), fabric, after_step):
            pass
    first = 1 if len(ends) > LEAST_STEPS else 0
    seconds = ends[-1] - ends[first]
    return size * (len(ends) - 1 - first) / seconds, min(1.0, (waited[-1] - waited[first]) / seconds)


@dataclass
class _WatchedSource:
    """A source whose batches are timed."""

    source: BatchSource
    waiting: Waiting = field(default_factory=Waiting)

    @property
    def labels(self) -> Int64[Tensor, " count"]:
        """Of the source."""
        return self.source.labels

    @property
    def classes(self) -> int:
        """Of the source."""
        return self.source.classes

    @property
    def size(self) -> tuple[int, int]:
        """Of the source."""
        return self.source.size

    def batches(
        self, plan: Plan, epoch: int, first_step: int, share: Share
    ) -> Generator[TrainingBatch, None, None]:
        """Those of the source."""
        with closing(self.source.batches(plan, epoch, first_step, share)) as batches:
            yield from self.waiting.timed(batches)
