"""A tuning from a folder to a run folder: read, look once, learn a head, measure, and say why."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import torch
from jaxtyping import Float32
from torch import Tensor

from verydeep.data.partition import indices_of, with_test_part, write_split
from verydeep.data.reading import read_samples
from verydeep.data.samples import Part, Samples
from verydeep.errors import DataError
from verydeep.evaluate.metrics import evaluation, worst_mistakes
from verydeep.recipes.advice import advice
from verydeep.recipes.backbone import at_size, fitting_size, load_backbone, median_short_side, with_head
from verydeep.recipes.heads import LearntHead, learn_head
from verydeep.recipes.machine import Device, choose_device, describe
from verydeep.recipes.run import RunFolder, new_tuning, write_settings
from verydeep.recipes.score import score
from verydeep.recipes.tuning import (
    BrokenImage,
    Candidate,
    FeatureCost,
    MistakenImage,
    PartSize,
    Reading,
    StrengthPoint,
    TuneResult,
    TuneSettings,
)
from verydeep.train.balance import Remedy, chosen_balance
from verydeep.train.cache import FeatureCache, Features
from verydeep.weights import checkpoint
from verydeep.weights.checkpoint import Checkpoint

MOST_BROKEN = 0.05
"""The share of images that may be broken; with more, something else is wrong than a few files."""


class TuneWatcher:
    """What a caller may follow a tuning by; every method may be left as it is."""

    def has_read(self, reading: Reading, parts: tuple[PartSize, ...], size_reason: str) -> None:
        """The folder was read and split; the broken images are not known yet."""

    def computed(self, done: int, total: int) -> None:
        """So many images have gone through the network."""

    def validated(self, point: StrengthPoint) -> None:
        """Cross-validation is done with one strength."""

    def tried(self, candidate: Candidate) -> None:
        """One way to learn was tried, or left for a reason."""


def tune(
    settings: TuneSettings,
    out: Path | str,
    *,
    device: Device = "auto",
    watcher: TuneWatcher | None = None,
    cache: Path | None = None,
) -> TuneResult:
    """Tune the network of ``settings`` to its folder of images, into the new run folder ``out``.

    Args:
        settings: what to tune to what.
        out: where model.safetensors, tune.toml and split.csv are written.
        device: where to compute.
        watcher: what follows.
        cache: where features are kept; in the user's cache by default.

    Raises:
        DataError: where the folder cannot be used: no images, too few to test on, too many broken ones.
        CheckpointError: where the weights cannot be used.
        RecipeError: where ``out`` is taken, or the machine has no such device.
    """
    began, started = time.perf_counter(), datetime.now(UTC)
    folder = new_tuning(Path(out))
    task = _begin(settings, device, watcher or TuneWatcher())
    seen = _look(task, cache)
    learnt = _learn(task, seen)
    network = with_head(task.network, learnt.head, seen.samples.classes)
    origin = _origin(task, learnt.validation.temperature)
    network = replace(network, origin=network.origin | origin)
    _save(folder, network, settings, task.samples)
    return _result(task, seen, learnt, network, started, time.perf_counter() - began, folder)


@dataclass(frozen=True)
class _Task:
    """What is known before anything is computed."""

    settings: TuneSettings
    samples: Samples
    """All of them, each with its part."""
    network: Checkpoint
    """At the size of the images, with a last layer still to learn."""
    device: torch.device
    watcher: TuneWatcher
    reading: Reading
    size_reason: str


def _begin(settings: TuneSettings, device: Device, watcher: TuneWatcher) -> _Task:
    chosen = choose_device(device)
    samples = read_samples(settings.data, group_by=settings.group_by)
    samples = with_test_part(samples, settings.test, settings.seed)
    _require_all_classes(samples)
    short_side = median_short_side(samples.sources)
    network = load_backbone(settings, samples.classes)
    size, reason = fitting_size(settings.size, short_side, network.preprocess.size)
    reading = Reading(
        name=samples.name,
        images=len(samples),
        class_sizes=samples.class_sizes,
        broken=(),
        groups=_groups(samples),
        short_side=short_side,
    )
    watcher.has_read(reading, part_sizes(samples), reason)
    return _Task(settings, samples, at_size(network, size), chosen, watcher, reading, reason)


def _require_all_classes(samples: Samples) -> None:
    """Refuse a class that no image can be learnt from."""
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


@dataclass(frozen=True)
class _Seen:
    """The images that can be read, and what the frozen network says of them."""

    samples: Samples
    features: Features
    cost: FeatureCost
    reading: Reading

    def part(self, *parts: Part) -> tuple[Float32[Tensor, "count values"], Samples]:
        """Features and samples of some parts."""
        places = indices_of(self.samples, *parts)
        return self.features.values[places], self.samples.select(places)


def _look(task: _Task, root: Path | None) -> _Seen:
    """Run the frozen network over all images, once."""
    model = task.network.model.to(task.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    cache = FeatureCache(model, task.network.preprocess, root)
    features = cache(task.samples.sources, task.watcher.computed)
    broken = tuple(
        BrokenImage(name=task.samples.names[place], why=each.why) for place, each in features.broken
    )
    if len(broken) > MOST_BROKEN * len(task.samples):
        raise DataError(_too_many(broken, len(task.samples)))
    samples = task.samples.select(features.indices)
    _require_all_classes(samples)
    cost = FeatureCost(
        values=features.values.shape[1],
        computed=features.computed,
        remembered=features.remembered,
        seconds=features.seconds,
        cache=cache.folder,
    )
    reading = replace(task.reading, class_sizes=samples.class_sizes, broken=broken)
    return _Seen(samples, features, cost, reading)


def _too_many(broken: tuple[BrokenImage, ...], images: int) -> str:
    shown = "; ".join(each.why for each in broken[:3])
    return (
        f"{len(broken):,} of {images:,} images cannot be read, more than {MOST_BROKEN:.0%}: {shown}"
        f"{'; ...' if len(broken) > 3 else ''}. Mend them or take them away"
    )


def _learn(task: _Task, seen: _Seen) -> LearntHead:
    features, samples = seen.part("train", "val")
    return learn_head(
        features, samples.labels, samples.groups, samples.classes,
        remedy_for(samples, task.settings), task.settings.seed, task.watcher.validated,
    )  # fmt: skip


def remedy_for(samples: Samples, settings: TuneSettings) -> Remedy:
    """Against classes of unlike sizes in ``samples``."""
    sizes = torch.tensor(list(samples.class_sizes.values()))
    return chosen_balance(sizes, settings.balance)


def _origin(task: _Task, temperature: float) -> dict[str, Any]:
    return {
        "verydeep": version("verydeep"),
        "data": task.samples.name,
        "tune": task.settings.values(),
        "seed": task.settings.seed,
        "temperature": temperature,
    }


def _save(folder: RunFolder, network: Checkpoint, settings: TuneSettings, samples: Samples) -> None:
    checkpoint.save(network, folder.model)
    write_settings(folder, settings.values())
    write_split(samples, folder.split)


def _result(
    task: _Task,
    seen: _Seen,
    learnt: LearntHead,
    network: Checkpoint,
    started: datetime,
    seconds: float,
    folder: RunFolder,
) -> TuneResult:
    features, samples = seen.part("test")
    logits = learnt.head(features)
    measured = evaluation(logits, samples.labels, samples.classes)
    calm = evaluation(logits / learnt.validation.temperature, samples.labels, samples.classes)
    test_score = score(logits, samples.labels, samples.groups, samples.classes)
    frozen = Candidate(
        way="frozen",
        validation=learnt.validation.score,
        test=test_score,
        seconds=learnt.validation.seconds,
        forecast_seconds=None,
        epochs=(),
        best_epoch=None,
        note="a head on the network as it is",
    )
    task.watcher.tried(frozen)
    result = TuneResult(
        run=folder.path,
        settings=task.settings,
        architecture=network.model.architecture,
        preprocess=network.preprocess,
        origin=network.origin,
        reading=seen.reading,
        parts=part_sizes(seen.samples),
        size_reason=task.size_reason,
        balance=_balance_words(seen.part("train", "val")[1], task.settings),
        features=seen.cost,
        validation=learnt.validation,
        candidates=(frozen,),
        chosen="frozen",
        why="the network stayed as it is, as asked for: only the head was learnt",
        test=measured,
        test_score=test_score,
        calibration_error=calm.calibration_error,
        mistakes=_mistakes(logits / learnt.validation.temperature, samples),
        advice=(),
        machine=describe(task.device, "32-true"),
        started=started,
        seconds=seconds,
    )
    return replace(result, advice=advice(result))


def _mistakes(logits: Tensor, samples: Samples) -> tuple[MistakenImage, ...]:
    return tuple(
        MistakenImage(
            name=samples.names[mistake.index],
            source=samples.sources[mistake.index],
            label=mistake.label,
            predicted=mistake.predicted,
            confidence=mistake.confidence,
        )
        for mistake in worst_mistakes(logits, samples.labels, samples.classes)
    )


def _balance_words(samples: Samples, settings: TuneSettings) -> str:
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
    return f"{largest} has {times:.1f} times the images of {least}: {what}"
