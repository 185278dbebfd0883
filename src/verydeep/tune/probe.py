"""From the images to the linear probe: their fit, features, the position of the head, the L2 strength.

Features are extracted by a network, and at an image size, that the time budget allows.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from verydeep.data.split_parts import indices_of
from verydeep.embed.feature_precision import choose_feature_precision
from verydeep.image_sources.samples import Samples
from verydeep.tune.budget import extraction_seconds
from verydeep.tune.config import TuneConfig
from verydeep.tune.feature_cache import head_inputs
from verydeep.tune.features import ReadImages, TooSlowError, decode_images, extract_features
from verydeep.tune.fit_choice import with_best_fit, with_known_fit
from verydeep.tune.forecast import ExtractionForecast
from verydeep.tune.head_position import HeadPosition, best_position, head_positions
from verydeep.tune.linear_probe import LinearProbe, fit_linear_probe
from verydeep.tune.prepare import Task, balance_method, resized, with_weights
from verydeep.tune.result import L2Point
from verydeep.weights.catalog import find_published
from verydeep.weights.default_weights import LIGHTER, lighter_weights


@dataclass(frozen=True, kw_only=True)
class Probed:
    """The images and the network at its head position, with the linear probe where there is one."""

    asked: TuneConfig
    task: Task
    """Its configuration holds what was decided so far: balance, head position, L2 strength."""
    read: ReadImages
    probe: LinearProbe | None
    head_reason: str


def probe_features(task: Task, cache: Path | None, began: float) -> Probed:
    """The features of all images and a linear probe on them; only the images for training from scratch.

    Args:
        task: what was asked, the images and the network.
        cache: where features are kept; in the user's cache by default.
        began: the start of the time budget, by ``time.perf_counter``.

    Raises:
        DataError, Interrupted: as ``extract_features``.
    """
    task = with_known_fit(task)
    config = task.config
    if config.strategy == "scratch":
        head = "gap" if config.head == "auto" else config.head
        (position,), _ = head_positions(task.network, head)
        read, probe, reason = decode_images(task), None, f"after {position.layer}, the end of the network"
    else:
        task, positions, everything = _extract(task, cache, began)
        config = task.config  # its weights may be other ones now

        def fit(position: HeadPosition) -> LinearProbe:
            return _fit(task, everything.with_columns(position.columns))

        position, probe, reason = best_position(positions, fit)
        read = everything.with_columns(position.columns)
    decided = replace(
        config,
        head="whole" if config.head == "whole" else position.layer,
        size=task.network.preprocess.size,
        balance=balance_method(pool_of(read), config),
        precision=task.precision,
        l2=None if probe is None else probe.validation.l2,
    )
    task = replace(task, config=decided, network=position.network)
    return Probed(asked=config, task=task, read=read, probe=probe, head_reason=reason)


def _extract(
    task: Task, cache: Path | None, began: float
) -> tuple[Task, tuple[HeadPosition, ...], ReadImages]:
    """The features at all positions of the head, at an image size that the budget allows."""
    while True:
        task = _with_precision(task)
        try:
            if task.config.fit == "auto":
                task = with_best_fit(task, cache, began)
            positions, extract = head_positions(task.network, task.config.head)
            return task, positions, extract_features(task, extract, cache, time.perf_counter() - began)
        except TooSlowError as slow:
            task = _faster(task, slow.forecast)


def _with_precision(task: Task) -> Task:
    """``task`` with the precision of its features."""
    model, preprocess = task.network.model.eval(), task.network.preprocess
    training = task.samples.select(indices_of(task.samples, "train", "val"))
    precision, reason = choose_feature_precision(
        task.config.precision,
        lambda images: head_inputs(model, images),
        training.sources,
        preprocess,
        task.device,
    )
    if reason:
        task.watcher.chooses_precision(reason)
    return replace(task, precision=precision)


def _faster(task: Task, forecast: ExtractionForecast) -> Task:
    """With a lighter network where none was named, else with smaller images where no size was given."""
    if task.may_change_weights:
        if lighter := _lighter(task, forecast):
            return lighter
        task = replace(task, may_change_weights=False)
    size = forecast.smaller_size
    if task.config.size is not None or size is None:
        return task
    task.watcher.resizes(forecast.smaller_size_reason)
    return resized(task, size, forecast.smaller_size_reason)


def _lighter(task: Task, forecast: ExtractionForecast) -> Task | None:
    """With the most accurate of the lighter networks that fits the budget, else the fastest available.

    How long each computes is measured with random weights, so that only the chosen one is downloaded.
    """
    assert task.config.weights is not None
    seconds = {
        name: forecast.cost_in_images
        * extraction_seconds(find_published(name).architecture, forecast.size, task.device, task.precision)
        for name in LIGHTER
    }
    faster = sorted((name for name in LIGHTER if seconds[name] < forecast.seconds), key=seconds.__getitem__)
    fitting = [name for name in LIGHTER if name in faster and seconds[name] <= forecast.allowed]
    weights = lighter_weights(fitting or faster, task.watcher.chooses_weights, task.watcher.downloaded)
    if weights is None:
        return None
    reason = forecast.lighter_reason(weights, seconds[weights], task.config.weights)
    task.watcher.chooses_weights(f"Weights: {reason}")
    return with_weights(task, weights, reason)


def pool_of(read: ReadImages) -> Samples:
    """All images but those of the test: the linear probe is trained on them."""
    return read.samples.select(indices_of(read.samples, "train", "val"))


def _fit(task: Task, read: ReadImages) -> LinearProbe:
    """The linear probe on all images but those of the test."""
    features, samples = read.part("train", "val")
    config = task.config

    def cross_validated(point: L2Point) -> None:
        task.watcher.cross_validated(point)
        task.watcher.stop_if_wanted("stopped in cross-validation; the features of all images are kept")

    return fit_linear_probe(
        features, torch.from_numpy(samples.labels), samples.groups, samples.classes,
        balance_method(samples, config), config.seed, l2=config.l2, cross_validated=cross_validated,
    )  # fmt: skip
