"""What a tuning knows before it learns: images with their parts, and what the frozen network says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format

from verydeep.architecture.preprocess import Preprocess
from verydeep.check.check import check_unreadable
from verydeep.check.group_names import propose_groups
from verydeep.check.grouping import read_grouped
from verydeep.data.images import Images
from verydeep.data.samples import Part, Samples, UnreadableImage
from verydeep.data.split_file import indices_of, with_test_part
from verydeep.data.stream import decode_all
from verydeep.errors import DataError
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.class_imbalance import BalanceMethod, resolve_balance
from verydeep.train.device import Device, choose_device
from verydeep.train.epoch_result import TunedEpoch
from verydeep.train.tuning import TuningState
from verydeep.tune.backbone import fitted_backbone, median_short_side
from verydeep.tune.feature_cache import Extract, FeatureCache
from verydeep.tune.result import (
    Candidate,
    FeatureCost,
    PartSize,
    Reading,
    StrengthPoint,
    TuneSettings,
    Way,
)


class TuneWatcher:
    """What a caller may follow a tuning by; every method may be left as it is."""

    def has_read(self, reading: Reading, parts: tuple[PartSize, ...], size_reason: str) -> None:
        """The folder was read and split; the broken images are not known yet."""

    def computed(self, done: int, total: int) -> None:
        """So many images have gone through the network."""

    def checked(self, done: int, total: int) -> None:
        """So many images have been looked at for what may be wrong with them."""

    def validated(self, point: StrengthPoint) -> None:
        """Cross-validation is done with one strength."""

    def begins(self, way: Way, learn: int, val: int, seconds: float) -> None:
        """The network itself is about to be trained, for so many seconds at most."""

    def stepped(self, state: TuningState) -> None:
        """A step was made, or a batch of maps computed."""

    def finished_epoch(self, epoch: TunedEpoch) -> None:
        """An epoch is finished."""

    def tried(self, candidate: Candidate) -> None:
        """One way to learn was tried, or left for a reason."""


@dataclass(frozen=True)
class Task:
    """What is known before anything is computed."""

    settings: TuneSettings
    samples: Samples
    """All of them, each with its part."""
    given_parts: frozenset[Part | None]
    """Those that the owner named; None among them where parts were still to be cut."""
    network: Checkpoint
    """At the size of the images, with a last layer still to learn."""
    device: torch.device
    watcher: TuneWatcher
    reading: Reading
    size_reason: str


def begin(settings: TuneSettings, device: Device, watcher: TuneWatcher) -> Task:
    """Read the folder, split it, and load the network, before anything is computed.

    Raises:
        DataError: where the folder cannot be used.
        CheckpointError: where the weights cannot be used.
        RecipeError: where the machine has no such device.
    """
    chosen = choose_device(device)
    samples = read_grouped(settings.data, settings.group_by)
    given_parts = frozenset(samples.parts)
    samples = with_test_part(samples, settings.test, settings.seed)
    _require_all_classes(samples)
    short_side = median_short_side(samples.sources)
    network, reason = fitted_backbone(settings, samples.classes, short_side)
    reading = Reading(
        name=samples.name,
        images=len(samples),
        class_sizes=samples.class_sizes,
        broken=(),
        groups=_groups(samples),
        short_side=short_side,
        proposal=None if samples.groups else propose_groups(samples.names, len(samples.classes)),
    )
    watcher.has_read(reading, part_sizes(samples), reason)
    convert_conv2d_weight_memory_format(network.model.to(chosen), torch.channels_last)
    return Task(settings, samples, given_parts, network, chosen, watcher, reading, reason)


def _require_all_classes(samples: Samples) -> None:
    """Refuse a class that no image can be learned from."""
    sizes = samples.select(indices_of(samples, "train")).class_sizes
    if len(sizes) < 2:
        raise DataError(f"{samples.name} has one class, {samples.classes[0]}; it takes two to tell apart")
    if empty := [name for name, size in sizes.items() if not size]:
        raise DataError(
            f"{samples.name} has no images to train on of {', '.join(empty)}. Add some, or take the "
            "class's folder away"
        )


def _groups(samples: Samples) -> int | None:
    return None if samples.groups is None else len(set(samples.groups))


def part_sizes(samples: Samples) -> tuple[PartSize, ...]:
    """The sides of the split that have images."""
    sides = {part: samples.select(indices_of(samples, part)) for part in get_args(Part)}
    return tuple(
        PartSize(part=part, images=len(side), groups=_groups(side), class_sizes=side.class_sizes)
        for part, side in sides.items()
        if len(side)
    )


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The images that can be read, as the network will learn from them."""

    samples: Samples
    reading: Reading
    features: Float32[Tensor, "count values"] | None
    """What the frozen network says of each; None where it is not asked."""
    cost: FeatureCost | None
    pixels: Images | None
    """All of them in memory, where there was no other way to know which can be read."""
    preprocess: Preprocess

    def part(self, *parts: Part) -> tuple[Float32[Tensor, "count values"], Samples]:
        """Features and samples of some parts."""
        places = indices_of(self.samples, *parts)
        assert self.features is not None
        return self.features[places], self.samples.select(places)

    def at(self, columns: slice) -> "Seen":
        """With some of the features alone."""
        assert self.features is not None and self.cost is not None
        features = self.features[:, columns]
        return replace(self, features=features, cost=replace(self.cost, values=features.shape[1]))

    def images(self, places: Int64[Tensor, " chosen"]) -> Images:
        """Pixels of the images at ``places``."""
        if self.pixels is not None:
            return self.pixels.select(places)
        return decode_all(self.samples.select(places), self.preprocess)[0]


def look(task: Task, extract: Extract, root: Path | None) -> Seen:
    """Run the frozen network over all images, once; what cannot be read is passed over.

    Args:
        task: with the network and the images.
        extract: what is taken from the network.
        root: where features are kept; in the user's cache by default.

    Raises:
        DataError: where too many images are broken, or none of a class is left to learn from.
    """
    cache = FeatureCache(task.network.model, task.network.preprocess, root, extract)
    features = cache(task.samples.sources, task.watcher.computed)
    samples, reading = _readable(task, features.indices, dict(features.broken))
    cost = FeatureCost(
        values=features.values.shape[1],
        computed=features.computed,
        remembered=features.remembered,
        seconds=features.seconds,
        cache=cache.folder,
    )
    return Seen(
        samples=samples,
        reading=reading,
        features=features.values,
        cost=cost,
        pixels=None,
        preprocess=task.network.preprocess,
    )


def open_all(task: Task) -> Seen:
    """Decode all images into memory, for a network that begins with nothing.

    Raises:
        DataError: as ``look``.
    """
    images, broken = decode_all(task.samples, task.network.preprocess)
    by_source = {each.source: each for each in broken}
    broken_at = {
        place: by_source[source] for place, source in enumerate(task.samples.sources) if source in by_source
    }
    read = torch.tensor([place for place in range(len(task.samples)) if place not in broken_at])
    samples, reading = _readable(task, read, broken_at)
    return Seen(
        samples=samples,
        reading=reading,
        features=None,
        cost=None,
        pixels=images,
        preprocess=task.network.preprocess,
    )


def _readable(task: Task, read: Tensor, broken_at: Mapping[int, UnreadableImage]) -> tuple[Samples, Reading]:
    broken = tuple(replace(each, name=task.samples.names[place]) for place, each in broken_at.items())
    check_unreadable(len(task.samples), broken, task.settings.data)
    samples = task.samples.select(read)
    _require_all_classes(samples)
    return samples, replace(task.reading, class_sizes=samples.class_sizes, broken=broken)


def remedy_for(samples: Samples, settings: TuneSettings) -> BalanceMethod:
    """Against classes of unlike sizes in ``samples``."""
    sizes = torch.tensor(list(samples.class_sizes.values()))
    return resolve_balance(sizes, settings.balance)


def balance_words(samples: Samples, settings: TuneSettings) -> str:
    """How small classes of ``samples`` are made up for, and why."""
    remedy = remedy_for(samples, settings)
    largest = max(samples.class_sizes, key=samples.class_sizes.__getitem__)
    least = min(samples.class_sizes, key=samples.class_sizes.__getitem__)
    times = samples.class_sizes[largest] / max(1, samples.class_sizes[least])
    what = {
        "none": "every image counts the same",
        "logit-adjust": "logits are adjusted so that classes count the same (--balance none to leave that)",
        "weights": "images of small classes weigh more",
        "sampler": "images of small classes weigh more",
    }[remedy]
    sizes = (
        "the classes are of one size"
        if times == 1
        else (f"{largest} has {times:.1f} times the images of {least}")
    )
    return f"{sizes}: {what}"
