"""A recipe: everything that decides how a training runs, as one frozen value and as one TOML file.

A value flows one way: the default here, then the recipe's TOML, then a flag. What comes out is frozen,
saved in the run folder, and kept in the checkpoint.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from annotated_types import Gt, Interval
from pydantic import TypeAdapter, ValidationError

from verydeep.architecture.architecture import Norm
from verydeep.data.augment import AugmentConfig
from verydeep.errors import RecipeError
from verydeep.models.initialization import Init
from verydeep.train.optimizer import OptimizerConfig
from verydeep.train.schedule import ScheduleConfig


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Raises:
        RecipeError: where two fields contradict each other.
    """

    model: str = "vgg-tiny"
    """A name of the zoo, or a line of text."""
    norm: Norm | None = None
    """batch puts a batch norm after every convolution; as the model has it where absent."""
    init: Init = "he"
    """How the weights begin: he, glorot, normal-0.1, normal-0.01."""
    grow_from: str | None = None
    """A run whose first four convolutions and fully connected layers are copied first (VGG, section 3.1)."""
    dropout: Annotated[float, Interval(ge=0, lt=1)] | None = None
    """Probability of each hidden unit of the head to be left out; as the model has it where absent."""
    size: Annotated[int, Gt(0)] | None = None
    """Side in px to which the images are resized; their own where absent."""
    epochs: Annotated[int, Gt(0)] = 10
    """Passes over the training images."""
    batch_size: Annotated[int, Gt(0)] = 256
    """Images a step."""
    slices: Annotated[int, Gt(0)] = 1
    """Into how many a batch is cut: on a CPU they run at once, and batch norm takes each by itself."""
    seed: int = 0
    """Decides weights, order, augmentation and split."""
    validation: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Part of the training images held back to choose by; 0 trains on all and reports the last epoch."""
    keep: Literal["last", "best"] = "last"
    """Which epoch's weights are kept; best is chosen on the validation images."""
    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Part of each label spread over all classes (Szegedy et al. 2016, section 7)."""
    ema: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Decay a step of the moving average of the weights, which is then what is evaluated; 0 is off."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto is bf16 where the machine computes with it, else fp32; weights are held in fp32 either way."""
    channels_last: bool = True
    """Keep the channels of a pixel side by side in memory."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if 2 * self.slices > self.batch_size:
            raise RecipeError(
                f"batch_size is {self.batch_size} and slices {self.slices}: a slice needs two images at least"
            )
        needs = "keep = best" if self.keep == "best" else "schedule.name = plateau"
        if not self.validation and (self.keep == "best" or self.schedule.name == "plateau"):
            raise RecipeError(
                f"{needs} chooses by validation images, and validation is 0; set it to 0.1, say"
            )


_READER = TypeAdapter(Recipe)


def recipe_names() -> tuple[str, ...]:
    """The recipes that come with the package."""
    return tuple(
        sorted(file.name.removesuffix(".toml") for file in _folder().iterdir() if _is_recipe(file.name))
    )


def recipe_text(name: str) -> str:
    """The TOML of a recipe: one of the package's by name, or a file.

    Raises:
        RecipeError: where there is neither.
    """
    if name in recipe_names():
        return (_folder() / f"{name}.toml").read_text(encoding="utf-8")
    if Path(name).is_file():
        return Path(name).read_text(encoding="utf-8")
    near = difflib.get_close_matches(name, recipe_names(), n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise RecipeError(
        f"there is no recipe {name!r}. {hint}There are {', '.join(recipe_names())}, or give a .toml file; "
        "`verydeep recipes copy fast` writes one to edit"
    )


def summary(text: str) -> str:
    """What a recipe says of itself in its first line, a comment."""
    return text.splitlines()[0].lstrip("# ").strip() if text.startswith("#") else ""


def read_recipe(name: str, changes: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe called ``name`` or in the file ``name``, with ``changes`` such as ``{"optimizer.lr": 0.1}``.

    Raises:
        RecipeError: naming each unknown key, wrong type and value out of range.
    """
    try:
        values = tomllib.loads(recipe_text(name))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{name} is no TOML: {error}") from None
    for key, value in (changes or {}).items():
        *tables, last = key.split(".")
        table = values
        for part in tables:
            table = table.setdefault(part, {})
        table[last] = value
    return _validated(values, name)


def to_toml(recipe: Recipe) -> str:
    """``recipe`` as TOML, every field written out; ``read_recipe`` gives it back."""
    return tomli_w.dumps(_without_none(asdict(recipe)))


def _validated(values: dict[str, Any], name: str) -> Recipe:
    problems = list(_unknown_keys(values, Recipe))
    if not problems:
        try:
            return _READER.validate_python(values)
        except ValidationError as error:
            problems = [_in_words(dict(problem)) for problem in error.errors()]
    raise RecipeError(f"recipe {name}: " + "; ".join(problems))


def _unknown_keys(values: Mapping[str, Any], kind: Any, prefix: str = "") -> list[str]:
    known = {item.name: item for item in fields(kind)}
    problems = []
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f", did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
            problems.append(f"there is no key {prefix}{key}{hint}")
        elif isinstance(value, Mapping) and is_dataclass(known[key].type):
            problems += _unknown_keys(value, known[key].type, f"{prefix}{key}.")
    return problems


def _in_words(problem: dict[str, Any]) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    where = ".".join(map(str, problem["loc"]))
    return f"{where} is {problem['input']!r}: {message[0].lower()}{message[1:]}" if where else message


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    """TOML knows no null: an absent key is the default, and None is the default of every key that has it."""
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


def _folder() -> Traversable:
    return resources.files("verydeep.recipes")


def _is_recipe(name: str) -> bool:
    return name.endswith(".toml")
