"""From a recipe and a place to what the loop takes: images in memory, the network as it starts, its state."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from lightning_fabric import Fabric
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import stage_starts
from verydeep.architecture.preprocess import IMAGENET, Preprocess
from verydeep.check.check import check_unreadable
from verydeep.check.grouping import read_grouped
from verydeep.data.builtin import is_builtin, load_dataset
from verydeep.data.images import Dataset, Images, channel_statistics
from verydeep.data.normalize import resize
from verydeep.data.samples import Samples
from verydeep.data.split import stratified_split
from verydeep.data.split_file import indices_of, with_test_part, with_validation_part
from verydeep.data.stream import decode_all
from verydeep.download.download import Progress
from verydeep.errors import RecipeError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.initialization import initialize_from_shallower
from verydeep.models.stages import split_at_stage
from verydeep.train.frozen_features import MEMORY_LIMIT, Computed, frozen_features
from verydeep.train.inputs import PixelsInMemory, TrainingInputs
from verydeep.train.loop import steps_per_epoch
from verydeep.train.optimizer import build_optimizers
from verydeep.train.pretrained import at_size, fitting_size, median_short_side, pretrained_network
from verydeep.train.recipe import Recipe
from verydeep.train.state import EpochTally, TrainingState
from verydeep.weights.load import load

DEFAULT_MODEL = "vgg-tiny"


@dataclass(frozen=True)
class Prepared:
    """What a training starts with."""

    dataset: Dataset
    """Its validation images are cut off ``dataset.train``."""
    network: Checkpoint
    """As it starts, on the CPU: randomly initialized, or pretrained."""
    samples: Samples | None = None
    """The image files that ``dataset`` was read from, with their parts; None for a built-in data set."""
    notes: tuple[str, ...] = ()
    """What a person should know: images that were left out, the image size and the reason for it."""


def prepare(recipe: Recipe, data: Dataset | str, progress: Progress | None = None) -> Prepared:
    """Read ``data`` and build, or load, the network that ``recipe`` asks for.

    Args:
        recipe: the training configuration.
        data: a data set in memory, the name of a built-in one, or a place that ``read_samples`` takes.
        progress: called while a built-in data set is downloaded.

    Raises:
        DataError: where the place cannot be used.
        ArchitectureError: where the recipe names no network.
        ShapeError: where the network cannot take images of this size.
        CheckpointError: where the weights cannot be used.
    """
    if isinstance(data, str) and not is_builtin(data):
        return _prepare_files(recipe, data)
    dataset = load_dataset(data, progress=progress) if isinstance(data, str) else data
    dataset = _with_validation(_resized(dataset, recipe.size), recipe)
    if recipe.weights is None:
        return Prepared(dataset, new_network(recipe, dataset))
    network = _pretrained(recipe, recipe.weights, dataset.classes)
    return Prepared(dataset, at_size(network, dataset.train.pixels.shape[2]))


def _pretrained(recipe: Recipe, weights: str, classes: tuple[str, ...]) -> Checkpoint:
    network = pretrained_network(weights, recipe.model, recipe.head, classes, recipe.seed)
    torch.manual_seed(recipe.seed)  # of dropout
    return network


def _resized(dataset: Dataset, size: int | None) -> Dataset:
    if size is None:
        return dataset
    train, test = (
        replace(images, pixels=resize(images.pixels, size)) for images in (dataset.train, dataset.test)
    )
    return replace(dataset, train=train, test=test)


def _with_validation(dataset: Dataset, recipe: Recipe) -> Dataset:
    if not recipe.validation or dataset.val is not None:
        return dataset
    kept, held_out = stratified_split(dataset.train.labels, recipe.validation, recipe.seed)
    return replace(dataset, train=dataset.train.select(kept), val=dataset.train.select(held_out))


def new_network(recipe: Recipe, dataset: Dataset) -> Checkpoint:
    """The recipe's network, randomly initialized; the recipe's seed decides every bit of it.

    Raises:
        RecipeError: where stages are to be frozen, which without weights learn nothing.
    """
    require_nothing_frozen(recipe)
    mean, std = channel_statistics(dataset.train.pixels)
    _, channels, height, width = dataset.train.pixels.shape
    architecture = fitted_architecture(recipe, dataset)
    torch.manual_seed(recipe.seed)
    model = build(architecture, recipe.init)
    if recipe.grow_from is not None:
        initialize_from_shallower(model, load(recipe.grow_from).model)
    preprocess = Preprocess(size=min(height, width), channels=channels, mean=mean, std=std)
    return Checkpoint(model, preprocess, dataset.classes)


def fitted_architecture(recipe: Recipe, dataset: Dataset) -> Architecture:
    """The recipe's network for the classes and images of ``dataset``.

    Raises:
        ArchitectureError: where the recipe names no network.
        ShapeError: where it cannot take images of this size.
    """
    architecture = with_options(zoo.resolve(recipe.model or DEFAULT_MODEL), recipe)
    _, channels, height, width = dataset.train.pixels.shape
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
            f"freeze is {recipe.freeze}, and there are no weights: frozen random stages learn nothing"
        )


def _prepare_files(recipe: Recipe, place: str) -> Prepared:
    samples = read_grouped(place, recipe.group_by)
    samples = with_test_part(samples, recipe.test, recipe.seed)
    if recipe.validation:
        samples = with_validation_part(samples, recipe.validation, recipe.seed)
    network = None
    if recipe.weights is not None:
        network = _pretrained(recipe, recipe.weights, samples.classes)
    own = (network.preprocess if network else IMAGENET).size
    size, reason = fitting_size(recipe.size, median_short_side(samples.sources), own)
    if network is not None:
        network = at_size(network, size)
    preprocess = network.preprocess if network else replace(IMAGENET, size=size, resize=None)
    dataset, samples, note = _decoded(samples, preprocess, place)
    network = network or new_network(recipe, dataset)
    return Prepared(dataset, network, samples, tuple(filter(None, (f"images at {reason}", note))))


def _decoded(samples: Samples, preprocess: Preprocess, place: str) -> tuple[Dataset, Samples, str]:
    """All images that can be read, in memory; their samples; and a note on those that cannot."""
    images, broken = decode_all(samples, preprocess)
    note = check_unreadable(len(samples), broken, place)
    unreadable = {each.source for each in broken}
    read = [i for i, source in enumerate(samples.sources) if source not in unreadable]
    samples = samples.select(torch.tensor(read, dtype=torch.int64))
    train, val, test = (images.select(indices_of(samples, part)) for part in ("train", "val", "test"))
    return Dataset(samples.name, train, test, val if len(val) else None), samples, note


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
