"""From the images to the linear probe: features, the position of the head, the L2 strength.

Features are extracted at an image size that the time budget allows.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from verydeep.data.split_file import indices_of
from verydeep.image_sources.samples import Samples
from verydeep.tune.config import TuneConfig
from verydeep.tune.features import ReadImages, TooSlowError, decode_images, extract_features
from verydeep.tune.head_position import HeadPosition, best_position, head_positions
from verydeep.tune.linear_probe import LinearProbe, fit_linear_probe
from verydeep.tune.prepare import Task, balance_method, resized
from verydeep.tune.result import L2Point


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
    config = task.config
    if config.strategy == "scratch":
        head = "gap" if config.head == "auto" else config.head
        (position,), _ = head_positions(task.network, head)
        read, probe, reason = decode_images(task), None, f"after {position.layer}, the end of the network"
    else:
        task, positions, everything = _extract(task, cache, began)

        def fit(position: HeadPosition) -> LinearProbe:
            return _fit(task, everything.with_columns(position.columns))

        position, probe, reason = best_position(positions, fit)
        read = everything.with_columns(position.columns)
    decided = replace(
        config,
        head="whole" if config.head == "whole" else position.layer,
        size=task.network.preprocess.size,
        balance=balance_method(pool_of(read), config),
        l2=None if probe is None else probe.validation.l2,
    )
    task = replace(task, config=decided, network=position.network)
    return Probed(asked=config, task=task, read=read, probe=probe, head_reason=reason)


def _extract(
    task: Task, cache: Path | None, began: float
) -> tuple[Task, tuple[HeadPosition, ...], ReadImages]:
    """The features at all positions of the head, at an image size that the budget allows."""
    while True:
        positions, extract = head_positions(task.network, task.config.head)
        try:
            return task, positions, extract_features(task, extract, cache, time.perf_counter() - began)
        except TooSlowError as slow:
            size, reason = slow.forecast.smaller_size, slow.forecast.smaller_size_reason
            assert size is not None
            task = resized(task, size, reason)
            task.watcher.resizes(reason)


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
        features, samples.labels, samples.groups, samples.classes, balance_method(samples, config),
        config.seed, l2=config.l2, cross_validated=cross_validated,
    )  # fmt: skip
