"""From a recipe, images and a network to what the loop takes: its inputs and its state."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import stage_starts
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.images import Images
from verydeep.errors import RecipeError
from verydeep.models.classifier import Classifier
from verydeep.models.stages import split_at_stage
from verydeep.train.frozen_features import MEMORY_LIMIT, Computed, frozen_features
from verydeep.train.inputs import PixelsInMemory, TrainingInputs
from verydeep.train.loop import steps_per_epoch
from verydeep.train.optimizer import build_optimizers
from verydeep.train.recipe import Recipe
from verydeep.train.state import EpochTally, TrainingState


@contextmanager
def training_inputs(
    recipe: Recipe,
    state: TrainingState,
    preprocess: Preprocess,
    train: Images,
    val: Images | None,
    fabric: Fabric,
    *,
    computed: Computed = lambda done, total: None,
    memory_limit: int = MEMORY_LIMIT,
) -> Iterator[TrainingInputs]:
    """Pixels, or, where stages are frozen, the feature maps of these stages, computed once.

    Raises:
        DataError: where there is no room for the feature maps.
    """
    frozen, _ = split_at_stage(state.model, len(state.part.stages))
    if len(frozen):
        with frozen_features(
            frozen.eval(),
            train,
            val,
            preprocess,
            fabric,
            flip=recipe.augment.flip,
            seed=recipe.seed,
            computed=computed,
            memory_limit=memory_limit,
        ) as inputs:
            yield inputs
        return

    def pixels(images: Images) -> PixelsInMemory:
        return PixelsInMemory(
            images=images.to(fabric.device),
            preprocess=preprocess,
            device=fabric.device,
            augment=recipe.augment if images is train else None,
            seed=recipe.seed,
            channels_last=recipe.channels_last,
        )

    yield TrainingInputs(pixels(train), None if val is None else pixels(val))


def initial_state(recipe: Recipe, model: Classifier, images: int, fabric: Fabric) -> TrainingState:
    """``model`` as training starts, with its optimizers; it is trained in place.

    Args:
        recipe: the training configuration.
        model: the network as it starts.
        images: to train on.
        fabric: device and precision.

    Raises:
        RecipeError: where the network has fewer stages than are to be frozen.
    """
    stages = trained_stages(recipe, model.architecture)
    model = model.to(fabric.device)
    if recipe.channels_last:
        convert_conv2d_weight_memory_format(model, torch.channels_last)
    _, part = split_at_stage(model, stages)
    epochs = recipe.planned_epochs(images)
    average = None
    if recipe.ema:
        steps = epochs * steps_per_epoch(images, recipe.batch_size)
        decay = ema_decay(steps) if recipe.ema == "auto" else recipe.ema
        average = AveragedModel(part, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    dtype = torch.bfloat16 if fabric.strategy.precision.precision == "bf16-mixed" else torch.float32
    return TrainingState(
        model=model,
        part=part,
        optimizers=build_optimizers(part, recipe.optimizer, dtype),
        tally=EpochTally.zero(model.architecture.classes, fabric.device),
        epochs=epochs,
        average=average,
    )


def trained_stages(recipe: Recipe, architecture: Architecture) -> int:
    """How many of the last stages are trained.

    Raises:
        RecipeError: where more stages are to be frozen than there are.
    """
    stages = len(stage_starts(architecture))
    frozen = {"all": stages, "auto": 0}.get(str(recipe.freeze), recipe.freeze)
    if not isinstance(frozen, int) or frozen > stages:
        raise RecipeError(f"freeze is {recipe.freeze}; {architecture.name} has {stages} stages, or give all")
    return stages - frozen


def ema_decay(steps: int) -> float:
    """The decay per step of a moving average that spans a fifth of training, 1,000 steps at most.

    That is 0.99 for 500 steps, 0.999 from 5,000 on.
    """
    return min(0.999, max(0.9, 1 - 5 / steps))
