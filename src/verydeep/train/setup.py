"""From a recipe and a data set to what the loop takes: the network, its state, and what it sees."""

from dataclasses import replace

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.images import Dataset, Images, channel_statistics
from verydeep.data.normalize import resize
from verydeep.data.split import stratified_split
from verydeep.models.build import build
from verydeep.train.device import Precision
from verydeep.train.loop import Course
from verydeep.train.optimizer import build_optimizers
from verydeep.train.recipe import Recipe
from verydeep.train.state import Tally, TrainingState


def fitted_architecture(recipe: Recipe, dataset: Dataset) -> Architecture:
    """The recipe's network for the classes and images of ``dataset``.

    Raises:
        ArchitectureError: where the recipe names no network.
        ShapeError: where it cannot take images of this size.
    """
    architecture = zoo.resolve(recipe.model)
    if recipe.norm is not None:
        architecture = architecture.with_norm(recipe.norm)
    if recipe.dropout is not None:
        architecture = replace(architecture, dropout=recipe.dropout)
    _, channels, height, width = dataset.train.pixels.shape
    size = recipe.size or (height, width)
    return architecture.with_classes(len(dataset.classes)).with_input(channels, size)


def sized(images: Images, recipe: Recipe) -> Images:
    """``images`` at the size that the recipe asks for."""
    if recipe.size is None:
        return images
    return replace(images, pixels=resize(images.pixels, recipe.size))


def course(recipe: Recipe, dataset: Dataset, device: torch.device) -> Course:
    """What training sees, on ``device``: all training images, or the part that validation leaves."""
    images, val = sized(dataset.train, recipe), None
    if recipe.validation:
        kept, held_back = stratified_split(images.labels, recipe.validation, recipe.seed)
        images, val = images.select(kept), images.select(held_back)
    mean, std = channel_statistics(images.pixels)
    _, channels, height, width = images.pixels.shape
    return Course(
        train=images.to(device),
        val=val,
        preprocess=Preprocess(size=min(height, width), channels=channels, mean=mean, std=std),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        schedule=recipe.schedule,
        augment=recipe.augment,
        label_smoothing=recipe.label_smoothing,
        channels_last=recipe.channels_last,
        slices=recipe.slices,
    )


def initial_state(
    recipe: Recipe, architecture: Architecture, device: torch.device, precision: Precision
) -> TrainingState:
    """The network as it begins, with its optimizers; the recipe's seed decides every bit of it."""
    torch.manual_seed(recipe.seed)
    model = build(architecture, recipe.init)
    model.to(device)
    if recipe.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    average = None
    if recipe.ema:
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
    return TrainingState(
        model=model,
        optimizers=build_optimizers(model, recipe.optimizer, dtype),
        tally=Tally.zero(device),
        average=average,
    )
