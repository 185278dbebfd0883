"""The network of a recipe, randomly initialized."""

from dataclasses import replace

import torch

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.images import Dataset
from verydeep.data.images_on_disk import DatasetOnDisk
from verydeep.errors import RecipeError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.initialization import initialize_from_shallower
from verydeep.train.recipe import Recipe
from verydeep.weights.load import load

DEFAULT_MODEL = "vgg-tiny"


def new_network(recipe: Recipe, dataset: Dataset | DatasetOnDisk) -> Checkpoint:
    """The recipe's network, randomly initialized; the recipe's seed decides every bit of it.

    Raises:
        RecipeError: where stages are to be frozen, which without weights learn nothing.
    """
    require_nothing_frozen(recipe)
    mean, std = dataset.train.channel_statistics()
    channels, height, width = dataset.train.image_shape
    architecture = fitted_architecture(recipe, dataset)
    torch.manual_seed(recipe.seed)
    model = build(architecture, recipe.init)
    if recipe.grow_from is not None:
        initialize_from_shallower(model, load(recipe.grow_from).model)
    preprocess = Preprocess(size=min(height, width), channels=channels, mean=mean, std=std)
    return Checkpoint(model, preprocess, dataset.classes)


def fitted_architecture(recipe: Recipe, dataset: Dataset | DatasetOnDisk) -> Architecture:
    """The recipe's network for the classes and images of ``dataset``.

    Raises:
        ArchitectureError: where the recipe names no network.
        ShapeError: where it cannot take images of this size.
    """
    architecture = with_options(zoo.resolve(recipe.model or DEFAULT_MODEL), recipe)
    channels, height, width = dataset.train.image_shape
    return architecture.with_classes(len(dataset.classes)).with_input(channels, (height, width))


def with_options(architecture: Architecture, recipe: Recipe) -> Architecture:
    """``architecture`` with the norm and the dropout of ``recipe``, where it sets them."""
    if recipe.norm is not None:
        architecture = architecture.with_norm(recipe.norm)
    return architecture if recipe.dropout is None else replace(architecture, dropout=recipe.dropout)


def require_nothing_frozen(recipe: Recipe) -> None:
    """Refuse to freeze stages of a randomly initialized network.

    Raises:
        RecipeError: where ``recipe`` does so.
    """
    if recipe.freeze not in (0, "auto"):
        raise RecipeError(
            f"freeze is {recipe.freeze}, and there are no weights: frozen random stages learn nothing. Give "
            "--weights, or leave it out"
        )
