"""The configuration of `verydeep tune`: what is asked for, and, once a run has decided, what was decided.

Both are the same value and the same TOML. A run saves its decisions as tune.toml; edited or not, they can be
given back by ``verydeep tune photos/ --recipe runs/tune-photos/tune.toml``: nothing is then searched for or
left to the clock.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Gt, Interval

from verydeep.added_images.finished_tuning import require_finished_tuning
from verydeep.data.split_file import read_saved_images
from verydeep.errors import RecipeError
from verydeep.machine import WantedPrecision
from verydeep.toml_config import dump_toml, parse_toml, validated, with_changes
from verydeep.train.balance import Balance, resolve_balance
from verydeep.train.recipe import Recipe, read_recipe, recipe_text, text_of_file
from verydeep.train.run_folder import RunFolder
from verydeep.train.unfinished_run import Start, require_unfinished

Strategy = Literal["linear-probe", "fine-tune", "scratch"]
"""A linear probe on frozen features, fine-tuning from that probe, or training from scratch."""
WantedStrategy = Literal["auto", "linear-probe", "fine-tune", "scratch", "compare"]
"""One of them, all of them (compare), or what data and time allow and validation prefers (auto)."""

WantedFit = Literal["auto", "crop", "pad", "squash"]
"""How images become square, or what cross-validation prefers where many are far from square (auto)."""

NO_LIMIT = "none"
"""The time budget of a run whose decisions are fixed."""
SHARED = frozenset(
    (
        "model",
        "weights",
        "head",
        "size",
        "fit",
        "seed",
        "test",
        "validation",
        "group_by",
        "balance",
        "grow_from",
    )
)
"""Fields of a recipe that are set once, at the top, for both steps."""
UNUSED = {
    "fine_tune": frozenset(("norm", "init", "stream")),
    "scratch": frozenset(("freeze", "norm_statistics", "stream")),
}
"""Fields of a recipe that have no use in a step: pretrained weights decide the first two, and the number of
images whether they are kept in memory."""
STEPS = {"fine_tune": "fine-tune", "scratch": "scratch"}
"""The steps that train the network, with the recipes that they start from."""


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """How a classifier is made of a folder of images."""

    strategy: WantedStrategy = "auto"
    """linear-probe, fine-tune, scratch, compare (all three), or auto: what data and budget allow."""
    weights: str | None = None
    """Pretrained weights: a weight file, a run folder, or a name such as vgg16; by default published features
    of VGG16, or of a lighter network where the budget asks for one; not needed for scratch."""
    model: str | None = None
    """The network, by name or architecture string; by default the one that the weights are of."""
    head: str = "auto"
    """Where the classifier head is: gap (after global average pooling of the last stage), auto (there or one
    stage below, whichever has the lower loss in cross-validation), a layer such as relu4_3, or whole (keep
    the hidden layers of the weights)."""
    size: Annotated[int, Gt(0)] | None = None
    """Side of the images in px; by default their median short side, from 96 to 224 in steps of 32."""
    fit: WantedFit = "auto"
    """How wide and tall images become square: crop (the center), pad (with the mean color), squash, or auto:
    by cross-validation where many images are far from square, else crop."""
    group_by: str | None = None
    """What keeps images together in a split: a pattern for their names, a column, or duplicates."""
    test: Annotated[float, Interval(gt=0, lt=1)] = 0.2
    """Share of the images to test on once, where there is no test folder."""
    validation: Annotated[float, Interval(gt=0, lt=1)] = 0.2
    """Share of the training images held out to compare strategies, where there is no val folder."""
    from_run: str | None = None
    """The run folder of an earlier tuning of these images, whose split is kept; images were added since."""
    seed: Annotated[int, Interval(ge=0, lt=2**63)] = 0
    """Decides split, folds, and the order of training."""
    budget: str = "5m"
    """Time that may be spent in all: 90s, 5m or 1h; none is no limit."""
    balance: Balance = "auto"
    """Class imbalance: logit-adjust, loss weights, a balanced sampler, or none; auto is logit-adjust where
    the largest class has over three times the images of the smallest."""
    l2: Annotated[float, Gt(0)] | None = None
    """L2 regularization strength of the linear probe; by default found by cross-validation."""
    precision: WantedPrecision = "auto"
    """Of the features: fp32, bf16, or auto: bf16 where the machine computes with it and the features of some
    images agree. The test images are measured in fp32 either way."""
    fine_tune: Recipe = field(default_factory=lambda: read_recipe("fine-tune"))
    """The recipe of fine-tuning."""
    scratch: Recipe = field(default_factory=lambda: read_recipe("scratch"))
    """The recipe of training from scratch."""

    def __post_init__(self) -> None:
        seconds(self.budget)

    @property
    def budget_s(self) -> float:
        """The time budget in seconds."""
        return seconds(self.budget)

    @property
    def fine_tune_recipe(self) -> Recipe:
        """The recipe of fine-tuning, with what is set at the top."""
        return replace(self.fine_tune, **self._shared(), weights=self.weights, head=self.head)

    @property
    def scratch_recipe(self) -> Recipe:
        """The recipe of training from scratch, with what is set at the top."""
        return replace(self.scratch, **self._shared(), weights=None)

    def _shared(self) -> dict[str, Any]:
        names = ("model", "size", "seed", "test", "validation", "group_by", "balance")
        return {name: getattr(self, name) for name in names}


def seconds(text: str) -> float:
    """The length of time that ``text`` writes, such as 90s, 5m or 1.5h; none is infinite.

    Raises:
        RecipeError: where it writes none, or has no unit.
    """
    text = text.strip().lower()
    if text == NO_LIMIT:
        return inf
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text)
    if not match:
        is_number = re.fullmatch(r"\d+(?:\.\d+)?", text)
        units = f"{text}s, {text}m or {text}h" if is_number else "90s, 5m or 1h, or none"
        raise RecipeError(f"budget is {text!r}; expected a time with its unit: {units}")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def read_tune_config(file: Path | str | None = None, changes: Mapping[str, Any] | None = None) -> TuneConfig:
    """The configuration in ``file``, or the default one, with ``changes`` such as ``{"fine_tune.epochs":
    5}``.

    Raises:
        RecipeError: naming each unknown key, wrong type and value out of range.
    """
    if file is None:
        return parse_tune_config("", "tune", changes)
    return parse_tune_config(_text(Path(file)), str(file), changes)


def parse_tune_config(text: str, name: str, changes: Mapping[str, Any] | None = None) -> TuneConfig:
    """The configuration in the TOML ``text``, as ``read_tune_config`` reads it from a file ``name``."""
    values = {step: parse_toml(recipe_text(recipe), recipe) for step, recipe in STEPS.items()}
    values = _merged(values, _own(parse_toml(text, name), name))
    return validated(TuneConfig, with_changes(values, changes or {}), name)


def config_from_run(run: Path, changes: Mapping[str, Any] | None = None) -> TuneConfig:
    """The decisions of the finished tuning in the folder ``run``, to continue it with images added since.

    The L2 strength is searched for again, as it depends on the number of images; so is the method of
    ``balance``, where it is the one that auto takes. Other weights, or another model, come with a head
    position of their own, and another strategy with the usual time budget.

    Raises:
        CheckpointError: where ``run`` holds no finished tuning.
        RecipeError: naming what is wrong with ``changes``.
    """
    folder, changes = require_finished_tuning(run), changes or {}
    config = read_tune_config(folder.tune)
    trained = Counter(image.label for image in read_saved_images(folder.split) if image.part != "test")
    is_usual = config.balance == resolve_balance(list(trained.values()))
    config = replace(config, from_run=str(run), l2=None, balance="auto" if is_usual else config.balance)
    if changes.keys() & {"weights", "model"}:
        head = config.head if config.head == "whole" else "auto"
        config = replace(config, model=None, head=head, fine_tune=replace(config.fine_tune, freeze="auto"))
    if changes.get("strategy", config.strategy) != config.strategy:
        config = replace(config, budget=TuneConfig.budget)
    return parse_tune_config(tune_toml(config), str(folder.tune), changes)


def new_start(config: TuneConfig, location: str) -> Start:
    """What a tuning by ``config`` on the images at ``location`` is started with, now."""
    return Start(job="tune", data=location, config=tune_toml(config), started=datetime.now(UTC).isoformat())


def unfinished_config(run: Path, changes: Mapping[str, Any] | None = None) -> TuneConfig:
    """What was asked of the unfinished tuning in ``run``, with ``changes`` such as ``{"seed": 1}``.

    Raises:
        CheckpointError: where there is no unfinished tuning.
        RecipeError: naming what is wrong with the changes.
    """
    return parse_tune_config(require_unfinished(run, "tune").config, str(RunFolder(run).tune), changes)


def _text(file: Path) -> str:
    if not file.is_file():
        raise RecipeError(f"there is no file {file}; give the tune.toml of a run, or a copy of it")
    return text_of_file(file)


def _own(values: dict[str, Any], name: str) -> dict[str, Any]:
    """``values`` of a file; refuses what a step cannot have of its own."""
    for step in STEPS:
        table = values.get(step, {})
        keys = table.keys() if isinstance(table, dict) else set()
        if shared := sorted(SHARED & keys):
            raise RecipeError(
                f"{name}: {shared[0]} is in the table [{step}]; set it at the top, as both steps share it"
            )
        if unused := sorted(UNUSED[step] & keys):
            raise RecipeError(f"{name}: {unused[0]} is in the table [{step}], where it has no use; remove it")
    return values


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``over`` in their place, table by table."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def tune_toml(config: TuneConfig) -> str:
    """``config`` as TOML, every value written out; ``read_tune_config`` reads it back."""
    values = asdict(config)
    for step in STEPS:
        left_out = SHARED | UNUSED[step]
        values[step] = {key: value for key, value in values[step].items() if key not in left_out}
    return dump_toml(values)
