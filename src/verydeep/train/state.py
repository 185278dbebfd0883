"""Everything that training changes as it runs: what ``--resume`` restores, to end with the same bits."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import stage_starts
from verydeep.errors import RecipeError
from verydeep.models.classifier import Classifier
from verydeep.models.stages import TrainablePart, split_at_stage, with_trained_part
from verydeep.train.early_stopping import BestEpoch
from verydeep.train.hardest import ImageLosses
from verydeep.train.optimizer.build import build_optimizers
from verydeep.train.optimizer.schedule import Plateau
from verydeep.train.recipe import Recipe


@dataclass
class EpochTally:
    """Sums over the epoch so far, kept on the device: reading them at every step would stall it."""

    loss: Tensor
    correct: Tensor
    """Correct predictions of each class."""
    images: Tensor
    """Images of each class."""

    @classmethod
    def zero(cls, classes: int, device: torch.device) -> "EpochTally":
        """Nothing counted yet."""
        correct, images = torch.zeros(2, classes, dtype=torch.int64, device=device)
        return cls(torch.zeros((), device=device), correct, images)

    def add(self, loss: Tensor, predicted: Tensor, labels: Tensor) -> None:
        """Count a batch of this mean loss."""
        self.loss += loss.detach() * len(labels)
        self.correct.index_add_(0, labels, (predicted == labels).long())
        self.images.index_add_(0, labels, torch.ones_like(labels))

    @property
    def mean_loss(self) -> float:
        """Per image, in nats."""
        return float(self.loss) / max(int(self.images.sum()), 1)

    @property
    def top1(self) -> float:
        """Accuracy."""
        return int(self.correct.sum()) / max(int(self.images.sum()), 1)

    @property
    def recalls(self) -> Tensor:
        """The recall of each class that had images."""
        has_images = self.images > 0
        return self.correct[has_images] / self.images[has_images]


@dataclass
class TrainingState:
    """A run between two steps."""

    model: Classifier
    """The whole network; its frozen stages are never changed."""
    part: TrainablePart
    """The part that is trained: it shares its modules with ``model``."""
    optimizers: Sequence[Optimizer]
    tally: EpochTally
    epochs: int
    """How many are planned; a deadline may lower it."""
    average: AveragedModel | None = None
    """The moving average (EMA) of ``part``, which is what is evaluated and kept."""
    losses: ImageLosses | None = None
    """Where epochs after the first train on the hardest images."""
    plateau: Plateau = field(default_factory=Plateau)
    best: BestEpoch | None = None
    """The best epoch on validation, where that is the one to keep or to stop by."""
    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    """Steps made in the current epoch."""
    seconds: float = 0.0
    """Training so far."""

    @property
    def evaluated_part(self) -> TrainablePart:
        """What is evaluated: the moving average where there is one."""
        if self.average is None:
            return self.part
        module = self.average.module
        assert isinstance(module, TrainablePart)
        return module

    @property
    def trained(self) -> Classifier:
        """The network of the last step."""
        if self.average is None:
            return self.model
        return with_trained_part(self.model, self.evaluated_part.state_dict(), len(self.part.stages))

    @property
    def best_network(self) -> Classifier:
        """The network of the best epoch; that of the last step where none was chosen by validation."""
        if self.best is None:
            return self.trained
        return with_trained_part(self.model, self.best.tensors, len(self.part.stages))


def initial_state(recipe: Recipe, model: Classifier, images: int, fabric: Fabric) -> TrainingState:
    """``model`` as training starts, with its optimizers; it is trained in place.

    Args:
        recipe: the training configuration.
        model: the network as it starts.
        images: to train on.
        fabric: device and precision.

    Raises:
        RecipeError: where the network has fewer stages than are to be frozen, or the images are too few for
            the slices.
    """
    require_full_slices(recipe, images)
    stages = trained_stages(recipe, model.architecture)
    model = model.to(fabric.device)
    if recipe.channels_last:
        convert_conv2d_weight_memory_format(model, torch.channels_last)
    _, part = split_at_stage(model, stages)
    epochs = recipe.planned_epochs(images)
    average = None
    if recipe.ema:
        steps = recipe.steps_before(images, epochs)
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
        losses=ImageLosses.unknown(images, fabric.device) if recipe.hardest < 1 else None,
    )


def require_full_slices(recipe: Recipe, images: int) -> None:
    """Refuse fewer ``images`` than two for each slice of a batch: the loss of an empty slice is nan.

    Raises:
        RecipeError: where all images are such a small batch.
    """
    batch = min(recipe.batch_size, images)
    if recipe.slices > max(1, batch // 2):
        raise RecipeError(
            f"slices is {recipe.slices}, and a slice needs two images at least: {images} training images are "
            f"a batch of {batch}. Add images, or set slices to {max(1, batch // 2)}"
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
