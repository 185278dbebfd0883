"""A recipe: everything that decides how a training runs, as one frozen value and as one TOML file.

It is the training configuration: training from scratch and fine-tuning have the same fields. A value flows
one
way: the default here, then the recipe's TOML, then a flag. The result is frozen, saved in the run folder, and
kept in the checkpoint.
"""

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval

from verydeep.architecture.architecture import Norm
from verydeep.architecture.preprocess import Fit
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.builtin_names import is_builtin
from verydeep.errors import DataError, RecipeError
from verydeep.models.init_method import Init
from verydeep.text_file import read_text
from verydeep.toml_config import dump_toml, parse_toml, validated, with_changes
from verydeep.train.balance import Balance
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig

AUTO_EPOCHS, AUTO_STEPS = 20, 500
"""The least of either for epochs = auto; 500 steps after BiT (Kolesnikov et al. 2020) for small data sets."""
FEW_IMAGES = 2_000
"""With fewer training images, a pretrained network keeps the batch norm statistics that it came with."""
SMALL_BATCH = 16
"""Likewise with fewer images per step."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained, from scratch or fine-tuned.

    Raises:
        RecipeError: where two fields contradict each other.
    """

    model: str | None = None
    """A name from `verydeep list`, or an architecture string; by default that of the weights, or vgg-tiny."""
    weights: str | None = None
    """Pretrained weights to fine-tune: a weight file, a run folder, or a name such as vgg16."""
    head: str = "gap"
    """With weights: gap is a classifier after global average pooling, whole keeps the hidden layers of the
    weights, and a layer such as relu4_3 puts the classifier after that layer."""
    freeze: Annotated[int, Ge(0)] | Literal["all", "auto"] = "auto"
    """How many of the first stages stay frozen; all trains the classifier head alone, auto is 0 in `train`,
    and in `tune` what the time budget asks for."""
    norm: Norm | None = None
    """batch puts a batch norm after every convolution; by default as the model has it."""
    init: Init = "he"
    """Random initialization of weights that are not pretrained: he, glorot, normal-0.1, normal-0.01."""
    grow_from: str | None = None
    """Initialize from a trained shallower run: its first four convolutions and its fully connected layers are
    copied (VGG, section 3.1)."""
    dropout: Annotated[float, Interval(ge=0, lt=1)] | None = None
    """Dropout of the hidden layers of the head; by default as the model has it."""
    size: Annotated[int, Gt(0)] | None = None
    """Side in px to which images are resized; by default their own, for your own images their median short
    side in steps of 32 px from 96 to 224."""
    fit: Fit | None = None
    """How wide and tall images become square: crop (the center), pad (with the mean color) or squash; by
    default as the weights were trained, else crop."""
    epochs: Annotated[int, Gt(0)] | Literal["auto"] = 10
    """Passes over the training images; auto is 20, or more where 20 are under 500 steps."""
    batch_size: Annotated[int, Gt(0)] = 256
    """Images per step; all of them where there are fewer."""
    slices: Annotated[int, Gt(0)] = 1
    """Parts of a batch that the cores of a CPU, or several devices, compute at the same time, and a GPU one
    after the other (gradient accumulation); batch norm takes each part by itself."""
    gradients: Literal["fp32", "bf16"] = "fp32"
    """The precision in which several devices exchange the gradients of slices; bf16 halves the bytes."""
    seed: Annotated[int, Interval(ge=0, lt=2**63)] = 0
    """Decides initialization, order, augmentation and split."""
    test: Annotated[float, Interval(gt=0, lt=1)] = 0.2
    """Share of your own images to test on, where they have no test part."""
    validation: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Share of the training images held out for validation, where there is no val folder; 0 trains on all of
    them."""
    group_by: str | None = None
    """What keeps your own images together in a split: a pattern for their names such as 'photo_[0-9]+', a
    column, or duplicates."""
    keep: Literal["last", "best"] = "last"
    """Which epoch's weights are kept; best is chosen on the validation images."""
    early_stopping: Annotated[int, Ge(0)] = 0
    """Stop after so many epochs without a better validation result; 0 is off."""
    balance: Balance = "auto"
    """Class imbalance: logit-adjust, loss weights, a balanced sampler, or none; auto is logit-adjust where
    the largest class has over three times the images of the smallest."""
    hardest: Annotated[float, Interval(gt=0, le=1)] = 1.0
    """Part of the images that epochs after the first train on: those of the largest loss; 1 is all of
    them."""
    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Part of each label spread over all classes (Szegedy et al. 2016, section 7)."""
    ema: Annotated[float, Interval(ge=0, lt=1)] | Literal["auto"] = 0.0
    """Decay per step of the moving average (EMA) of the weights, which is then evaluated and kept; 0 is off,
    auto spans a fifth of training."""
    norm_statistics: Literal["auto", "frozen", "updated"] = "auto"
    """Whether batch norm updates its running statistics; auto keeps those of pretrained weights where images
    or batches are few."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto is bf16 where the machine computes with it, else fp32; weights are kept in fp32 either way."""
    stream: Literal["auto", "on", "off"] = "auto"
    """Decode your own images in each epoch instead of keeping their pixels in memory; auto does so where
    these take over 4 GiB."""
    channels_last: bool = True
    """Keep the channels of a pixel side by side in memory."""
    compile: bool = False
    """Compile the network with torch.compile, which takes half a minute: steps on a GPU take less time after
    it; on a CPU it did not pay."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if 2 * self.slices > self.batch_size:
            raise RecipeError(
                f"batch_size is {self.batch_size} and slices {self.slices}: a slice needs two images at least"
            )
        if self.compile and self.slices > 1:
            raise RecipeError(
                f"compile is on and slices is {self.slices}; only a whole batch is compiled: use slices = 1"
            )
        needs = {
            "keep = best": self.keep == "best",
            "schedule.name = plateau": self.schedule.name == "plateau",
            f"early_stopping = {self.early_stopping}": self.early_stopping > 0,
        }
        asking = [name for name, asks in needs.items() if asks]
        if asking and not self.validation:
            raise RecipeError(
                f"{asking[0]} needs validation images, and validation is 0; set it to 0.1, for example: "
                "where the data has validation images of its own, those are used"
            )
        if self.hardest < 1 and (self.augment.mixes or self.balance == "sampler"):
            other = "mixup or cutmix" if self.augment.mixes else "balance = sampler"
            raise RecipeError(
                f"hardest is {self.hardest:g}, and {other} is on: both would choose the images of a batch. "
                "Set hardest to 1, or leave out the other"
            )
        if self.weights is not None and self.grow_from is not None:
            raise RecipeError("weights and grow_from both set the initial weights; give one of them")
        if self.weights is not None and self.norm is not None:
            raise RecipeError(
                f"norm is {self.norm}, and pretrained weights decide that; leave it out, or use weights such "
                "as vgg16_bn"
            )

    def planned_epochs(self, images: int) -> int:
        """Epochs for so many training images."""
        if self.epochs != "auto":
            return self.epochs
        return max(AUTO_EPOCHS, -(-AUTO_STEPS // self.steps_per_epoch(images)))

    def steps_per_epoch(self, images: int) -> int:
        """For so many training images. The last incomplete batch is dropped; it comes in other epochs."""
        return images // min(self.batch_size, images)

    def steps_of_epoch(self, images: int, epoch: int) -> int:
        """Of an epoch, counted from 0: all after the first have fewer where they train on the ``hardest``."""
        steps = self.steps_per_epoch(images)
        return steps if epoch == 0 else max(1, round(self.hardest * steps))

    def steps_before(self, images: int, epoch: int) -> int:
        """Of all epochs before ``epoch``; before the number of all epochs, those of a whole training."""
        if epoch == 0:
            return 0
        return self.steps_per_epoch(images) + (epoch - 1) * self.steps_of_epoch(images, 1)

    def freezes_batch_norm(self, images: int) -> bool:
        """Whether batch norm keeps its running statistics, with so many training images."""
        if self.norm_statistics == "auto":
            few = images < FEW_IMAGES or self.batch_size < SMALL_BATCH
            return self.weights is not None and few
        return self.norm_statistics == "frozen"


def recipe_names() -> tuple[str, ...]:
    """The recipes that come with the package."""
    suffix = ".toml"
    names = (file.name for file in _folder().iterdir())
    return tuple(sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix)))


def default_recipe(data: str, weights: str | None) -> str:
    """The name of the recipe for ``data``, a built-in data set or your own images, where none is given."""
    if weights is not None:
        return "fine-tune"
    return "fast" if is_builtin(data) else "scratch"


def recipe_text(name: str) -> str:
    """The TOML of a recipe: one of the package's by name, or a file.

    Raises:
        RecipeError: where there is neither.
    """
    if name in recipe_names():
        return (_folder() / f"{name}.toml").read_text(encoding="utf-8")
    if Path(name).is_file():
        return text_of_file(Path(name))
    near = difflib.get_close_matches(name, recipe_names(), n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise RecipeError(
        f"there is no recipe {name!r}. {hint}Available are {', '.join(recipe_names())}, or give a .toml "
        "file; `verydeep recipes copy fast` writes one to edit"
    )


def text_of_file(file: Path) -> str:
    """The text of a recipe that a person wrote.

    Raises:
        RecipeError: if it is not in UTF-8, UTF-16 or UTF-32.
    """
    try:
        return read_text(file)
    except DataError as error:
        raise RecipeError(str(error)) from None


def summary(text: str) -> str:
    """The description of a recipe: its first line, a comment."""
    return text.splitlines()[0].lstrip("# ").strip() if text.startswith("#") else ""


def read_recipe(name: str, changes: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe called ``name`` or in the file ``name``, with ``changes`` such as ``{"optimizer.lr": 0.1}``.

    Raises:
        RecipeError: naming each unknown key, wrong type and value out of range.
    """
    return parse_recipe(recipe_text(name), name, changes)


def parse_recipe(text: str, name: str, changes: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe in the TOML ``text``, with ``changes``, as ``read_recipe`` reads it from a file ``name``."""
    return validated(Recipe, with_changes(parse_toml(text, name), changes or {}), f"recipe {name}")


def to_toml(recipe: Recipe) -> str:
    """``recipe`` as TOML, every field written out; ``read_recipe`` reads it back."""
    return dump_toml(asdict(recipe))


def _folder() -> Traversable:
    return resources.files("verydeep.recipes")
