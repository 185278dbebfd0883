"""What `verydeep tune` starts with: the images with their split, and the pretrained network."""

from dataclasses import dataclass, replace
from typing import get_args

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format

from verydeep.added_images.earlier_run import EarlierRun
from verydeep.architecture import zoo
from verydeep.architecture.preprocess import IMAGENET
from verydeep.check.group_names import propose_groups
from verydeep.data.split_checks import with_class_notes
from verydeep.data.split_parts import indices_of
from verydeep.decoding.image_sizes import Size, image_sizes, median_short_side
from verydeep.errors import CheckpointError, Interrupted, RecipeError
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.samples import Samples
from verydeep.machine import Device, InferencePrecision
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.balance import BalanceMethod, resolve_balance
from verydeep.train.device import choose_device
from verydeep.train.run import TrainingWatcher
from verydeep.train.start.pretrained import at_size, fitting_size, pretrained_network, with_fit
from verydeep.tune.config import Strategy, TuneConfig
from verydeep.tune.forecast import ExtractionForecast
from verydeep.tune.result import ImageSummary, L2Point, PartSize, StrategyResult
from verydeep.tune.split_images import split_images
from verydeep.weights.catalog import find_published
from verydeep.weights.default_weights import default_weights


class TuneWatcher(TrainingWatcher):
    """What a caller may follow `tune` by; every method may be left as it is."""

    def has_read(self, images: ImageSummary, parts: tuple[PartSize, ...], size_reason: str) -> None:
        """The images were found and split; unreadable ones are not known yet."""

    def chooses_weights(self, text: str) -> None:
        """No weights were named: which are used, in one line."""

    def downloaded(self, done: int, total: int | None) -> None:
        """So many bytes of published weights were downloaded; None where the total is unknown."""

    def resizes(self, reason: str) -> None:
        """Another image size was decided for this reason: feature extraction would take too long."""

    def chooses_fit(self, text: str) -> None:
        """Many images are far from square: how they become square, in one line."""

    def chooses_precision(self, text: str) -> None:
        """Features are computed in bf16, or might have been: why, in one line."""

    def forecasts(self, forecast: ExtractionForecast) -> None:
        """The first batches of feature extraction were timed."""

    def extracted(self, done: int, total: int) -> None:
        """So many images have gone through the network for feature extraction."""

    def checked(self, done: int, total: int) -> None:
        """So many images were checked for data quality issues."""

    def cross_validated(self, point: L2Point) -> None:
        """Cross-validation of one L2 regularization strength is done."""

    def plans(self, strategy: Strategy, images: int, held_out: int, seconds: float) -> None:
        """A strategy is about to train the network, for so many seconds at most."""

    def finished_strategy(self, result: StrategyResult) -> None:
        """A strategy was run."""

    def stop_if_wanted(self, message: str) -> None:
        """Stop here if that is wanted.

        Raises:
            Interrupted: with ``message``.
        """
        if self.wants_to_stop():
            raise Interrupted(message)


@dataclass(frozen=True)
class Task:
    """What is known before anything is computed."""

    location: str
    """Of the images."""
    config: TuneConfig
    samples: Samples
    """All images, each with its part of the split."""
    content: tuple[bytes, ...]
    """A hash of each image file."""
    given_parts: frozenset[Part | None]
    """Parts that the data came with; None is among them where tune made the split."""
    network: Checkpoint
    """The pretrained network at the size of the images; its last layer is not trained yet."""
    device: torch.device
    watcher: TuneWatcher
    summary: ImageSummary
    size_reason: str
    sizes: tuple[Size, ...]
    """Of some images as they are stored."""
    fit_reason: str = ""
    """How images become square, and why; empty until it is decided."""
    earlier: EarlierRun | None = None
    """The run that this one continues."""
    weights_reason: str = ""
    """Why these weights were taken; empty where they were named."""
    may_change_weights: bool = False
    """Whether lighter ones may be taken, as neither weights nor a network were named."""
    precision: InferencePrecision = "fp32"
    """Of the features of training and validation images."""

    @property
    def slower_images(self) -> int:
        """How many images are computed in fp32, where the others are in bf16: those of the test."""
        return len(indices_of(self.samples, "test")) if self.precision == "bf16" else 0

    def select(self, indices: Int64[Tensor, " chosen"]) -> "Task":
        """With the images at ``indices`` only."""
        content = tuple(self.content[index] for index in indices.tolist())
        return replace(self, samples=self.samples.select(indices), content=content)


def prepare(location: str, config: TuneConfig, device: Device, watcher: TuneWatcher) -> Task:
    """Read the images, split them, and load the network.

    Raises:
        DataError: where the images cannot be used, do not fit the earlier run that is continued, or the
            weights were trained on test images.
        CheckpointError: where the weights, or the earlier run, cannot be used.
        RecipeError: where weights are missing, or the machine has no such device.
    """
    chosen = choose_device(device)
    split = split_images(location, config)
    samples, earlier = split.samples, split.earlier
    may_change_weights = config.weights is None and config.model is None and config.strategy != "scratch"
    config, weights_reason = _with_weights(config, watcher)
    sizes = image_sizes(samples.sources)
    short_side = median_short_side(sizes)
    try:
        network, reason = _network(config, samples.classes, short_side, watcher)
    except CheckpointError as error:
        raise error if earlier is None else _without_weights(error, earlier) from None
    size = network.preprocess.size
    if earlier is not None and size == earlier.network.preprocess.size:
        reason = f"{size} px, as in {earlier.path}"
    summary = ImageSummary(
        name=samples.name,
        images=len(samples),
        class_sizes=samples.class_sizes,
        unreadable=(),
        groups=_groups(samples),
        short_side=short_side,
        proposal=None if samples.groups else propose_groups(samples.names, len(samples.classes)),
        reading=with_class_notes(samples).reading,
        changes=split.changes,
        has_own_test=None not in split.given_parts,
    )
    watcher.has_read(summary, part_sizes(samples), reason)
    convert_conv2d_weight_memory_format(network.model.to(chosen), torch.channels_last)
    return Task(
        location=location,
        config=config,
        samples=samples,
        content=tuple(split.content()),
        given_parts=split.given_parts,
        network=network,
        device=chosen,
        watcher=watcher,
        summary=summary,
        size_reason=reason,
        sizes=sizes,
        earlier=earlier,
        weights_reason=weights_reason,
        may_change_weights=may_change_weights and config.head in ("auto", "gap"),
    )


def _without_weights(error: CheckpointError, earlier: EarlierRun) -> CheckpointError:
    return CheckpointError(
        f"{error}. {earlier.path} was tuned from them; where they are gone, its own network will do: "
        f"--weights {earlier.path}"
    )


def _with_weights(config: TuneConfig, watcher: TuneWatcher) -> tuple[TuneConfig, str]:
    """``config`` with the weights that are used where none were named, and the reason for them."""
    if config.weights is not None or config.strategy == "scratch":
        return config, ""
    if config.model is not None:
        return replace(config, weights=find_published(config.model).name), ""
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line.removeprefix("Weights: "))
        watcher.chooses_weights(line)

    weights = default_weights(tell, watcher.downloaded, features=config.head != "whole")
    return replace(config, weights=weights), lines[-1]


def with_weights(task: Task, weights: str, reason: str) -> Task:
    """``task`` with other weights for this reason, which are the last that are tried."""
    config = replace(task.config, weights=weights)
    network, size_reason = _network(config, task.samples.classes, task.summary.short_side, task.watcher)
    convert_conv2d_weight_memory_format(network.model.to(task.device), torch.channels_last)
    return replace(
        task,
        config=config,
        network=network,
        size_reason=size_reason,
        weights_reason=reason,
        may_change_weights=False,
    )


def resized(task: Task, size: int, reason: str) -> Task:
    """``task`` with its images resized to ``size`` px for this reason."""
    network = at_size(task.network, size)
    return replace(task, network=network, size_reason=reason)


def _network(
    config: TuneConfig, classes: tuple[str, ...], short_side: int, watcher: TuneWatcher
) -> tuple[Checkpoint, str]:
    """The network at the size that fits the images, and the reason for that size."""
    if config.weights is not None:
        head = "whole" if config.head == "whole" else "gap"
        network = pretrained_network(
            config.weights, config.model, head, classes, config.seed, progress=watcher.downloaded
        )
        size, reason = fitting_size(config.size, short_side, network.preprocess.size)
        return _fitted(at_size(network, size), config), reason
    if config.model is None:
        raise RecipeError(
            "--strategy scratch needs --model for the network, such as vgg11, or --weights, whose network is "
            "then trained from random weights"
        )
    size, reason = fitting_size(config.size, short_side, IMAGENET.size)
    architecture = zoo.resolve(config.model).with_classes(len(classes)).with_input(3, size)
    preprocess = replace(IMAGENET, size=size, resize=None)
    return _fitted(Checkpoint(build(architecture).eval(), preprocess, classes), config), reason


def _fitted(network: Checkpoint, config: TuneConfig) -> Checkpoint:
    """With the fit of ``config``, or the network's own where that is not decided yet."""
    return network if config.fit == "auto" else with_fit(network, config.fit)


def _groups(samples: Samples) -> int | None:
    return None if samples.groups is None else len(set(samples.groups))


def part_sizes(samples: Samples) -> tuple[PartSize, ...]:
    """The parts of the split that have images."""
    parts = {part: samples.select(indices_of(samples, part)) for part in get_args(Part)}
    return tuple(
        PartSize(part=name, images=len(part), groups=_groups(part), class_sizes=part.class_sizes)
        for name, part in parts.items()
        if len(part)
    )


def balance_method(samples: Samples, config: TuneConfig) -> BalanceMethod:
    """How class imbalance in ``samples`` is handled."""
    return resolve_balance(list(samples.class_sizes.values()), config.balance)


def balance_text(samples: Samples, config: TuneConfig) -> str:
    """How class imbalance in ``samples`` is handled, and why, in words."""
    largest = max(samples.class_sizes, key=samples.class_sizes.__getitem__)
    smallest = min(samples.class_sizes, key=samples.class_sizes.__getitem__)
    times = samples.class_sizes[largest] / max(1, samples.class_sizes[smallest])
    handled = {
        "none": "every image counts the same",
        "logit-adjust": "logit adjustment makes every class count the same (--balance none switches it off)",
        "weights": "loss weights make every class count the same",
        "sampler": "a balanced sampler makes every class count the same",
    }[balance_method(samples, config)]
    sizes = (
        "all classes have the same size"
        if times == 1
        else f"{largest} has {times:.1f} times the images of {smallest}"
    )
    return f"{sizes}: {handled}"
