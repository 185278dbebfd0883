"""How wide and tall images become square: as given, by their shapes, or by cross-validation of linear probes.

Where nearly all images are about square, the fit makes no difference and nothing is compared.
"""

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import torch
from jaxtyping import Int64
from torch import Tensor

from verydeep.architecture.preprocess import Fit
from verydeep.data.split_parts import indices_of
from verydeep.decoding.image_sizes import are_about_square, shapes_text
from verydeep.number_format import duration, percent
from verydeep.train.start.pretrained import with_fit
from verydeep.tune.config import NO_LIMIT
from verydeep.tune.feature_cache import FeatureCache
from verydeep.tune.features import extract_rows
from verydeep.tune.forecast import FEATURE_SHARE, FP32_COST
from verydeep.tune.head_position import head_positions
from verydeep.tune.linear_probe import fit_linear_probe
from verydeep.tune.prepare import Task, balance_method
from verydeep.tune.result import L2Point

SAMPLE, LEAST_OF_CLASS = 500, 5
"""Training images that the fits are compared on, and the least of each class."""


@dataclass(frozen=True)
class _Compared:
    """One fit, measured by cross-validation."""

    fit: Fit
    point: L2Point
    """Of the position of the head, and the L2 strength, with the lowest loss."""
    folds: int
    computed: int
    """Images that went through the network."""
    extraction_seconds: float
    seconds: float
    """Of all, with the linear probes."""

    @property
    def text(self) -> str:
        """Loss and accuracy."""
        accuracy = percent(self.point.balanced_accuracy, 1)
        return f"{self.point.loss:.3f} with {self.fit} (balanced accuracy {accuracy})"


def with_known_fit(task: Task) -> Task:
    """``task`` with its fit where nothing has to be compared; else its fit stays auto."""
    if task.fit_reason:  # of a run that is resumed
        return task
    asked, own, earlier = task.config.fit, task.network.preprocess.fit, task.earlier
    if asked != "auto":
        if earlier is not None and earlier.network.preprocess.fit == asked:
            return _decided(task, asked, f"as in {earlier.path}")
        return _decided(task, asked, "as given")
    if are_about_square(task.sizes):
        return _decided(task, own, f"as the images are about square: {shapes_text(task.sizes)}")
    if task.config.strategy == "scratch":
        reason = (
            f"as there is no linear probe to choose by: {shapes_text(task.sizes)}; --fit pad keeps them whole"
        )
        return _decided(task, own, reason)
    return task


def with_best_fit(task: Task, cache_root: Path | None, began: float) -> Task:
    """``task`` with the fit whose linear probe has the lowest loss in cross-validation, if time allows that.

    Test images are not used. The features of the chosen fit stay in the cache, for the run itself.

    Args:
        task: whose fit is auto.
        cache_root: where features are kept; in the user's cache by default.
        began: the start of the time budget, by ``time.perf_counter``.

    Raises:
        DataError, Interrupted: as ``extract_features``.
        TooSlowError: where the features of all images take longer than the budget allows.
    """
    own = task.network.preprocess.fit
    sample = _sample(task)
    fits = (own, *(fit for fit in get_args(Fit) if fit != own))
    images = f"{len(sample.samples):,} training images"
    task.watcher.chooses_fit(f"Comparing crop, pad and squash on {images}: {shapes_text(task.sizes)}")
    compared = list[_Compared]()
    for fit in fits:
        if compared and (too_long := _too_long(task, sample, compared[-1], len(fits) - len(compared), began)):
            return _told(_decided(task, own, too_long))
        later = len(task.samples) - len(sample.samples)
        result = _cross_validated(sample, fit, cache_root, began, later, task.slower_images)
        if result is None:
            return _told(_decided(task, own, "as there are too few images for cross-validation"))
        compared.append(result)
        # By the first fit it is known that there is time: the others must not make the network lighter.
        sample = replace(sample, config=replace(sample.config, budget=NO_LIMIT))
    best = min(compared, key=lambda each: each.point.loss)
    on = f"{best.folds}-fold cross-validation on {images}"
    figures = ", ".join(each.text for each in compared)
    return _told(_decided(task, best.fit, f"by the loss in {on}: {figures}; {shapes_text(task.sizes)}"))


def _decided(task: Task, fit: Fit, reason: str) -> Task:
    return replace(
        task,
        config=replace(task.config, fit=fit),
        network=with_fit(task.network, fit),
        fit_reason=f"{fit}, {reason}",
    )


def _told(task: Task) -> Task:
    task.watcher.chooses_fit(f"Images become square by {task.fit_reason}")
    return task


def _sample(task: Task) -> Task:
    """``task`` with some of its training images only; each class has about its share."""
    pool = indices_of(task.samples, "train", "val")
    chosen = pool[_stratified(torch.from_numpy(task.samples.labels)[pool], task.config.seed)]
    return task.select(chosen)


def _stratified(labels: Int64[Tensor, " count"], seed: int) -> Int64[Tensor, " chosen"]:
    """The indices of about ``SAMPLE`` labels, sorted; of each class at least ``LEAST_OF_CLASS``, or all."""
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    by_class = shuffled[labels[shuffled].argsort(stable=True)]
    sizes = labels.bincount()
    rank = torch.arange(len(labels)) - (sizes.cumsum(0) - sizes)[labels[by_class]]
    share = min(1.0, SAMPLE / len(labels))
    wanted = (sizes * share).round().clamp_min(LEAST_OF_CLASS)
    return by_class[rank < wanted[labels[by_class]]].sort().values


def _cross_validated(
    sample: Task, fit: Fit, cache_root: Path | None, began: float, later: int, slower: int
) -> _Compared | None:
    """Linear probes on the features of ``sample`` with one fit; None where cross-validation is impossible.

    Args:
        sample: the images.
        fit: that they are given.
        cache_root: of the features.
        began: the start of the time budget.
        later: how many more images there are, whose features are computed afterwards.
        slower: how many of these are computed in fp32, where the sample is in bf16.
    """
    fit_began = time.perf_counter()
    network = with_fit(sample.network, fit)
    positions, extract = head_positions(network, sample.config.head)
    cache = FeatureCache(network.model, network.preprocess, cache_root, extract, sample.precision)
    rows = extract_rows(sample, cache, fit_began - began, later=later, slower=slower)
    samples = sample.samples.select(rows.indices)
    if not min(samples.class_sizes.values()):
        return None
    probes = [
        fit_linear_probe(
            rows.values[:, position.columns], torch.from_numpy(samples.labels), samples.groups,
            samples.classes, balance_method(samples, sample.config), sample.config.seed, l2=sample.config.l2,
            cross_validated=lambda point: sample.watcher.stop_if_wanted(
                "stopped while fits were compared; the features of all images so far are kept"
            ),
        )
        for position in positions
    ]  # fmt: skip
    points = [point for probe in probes for point in probe.validation.curve]
    if not points:
        return None
    return _Compared(
        fit=fit,
        point=min(points, key=lambda point: point.loss),
        folds=probes[0].validation.folds,
        computed=rows.computed,
        extraction_seconds=rows.seconds,
        seconds=time.perf_counter() - fit_began,
    )


def _too_long(task: Task, sample: Task, last: _Compared, fits: int, began: float) -> str:
    """Why ``fits`` more fits are not compared, in words; empty where the budget allows it."""
    each = last.extraction_seconds / last.computed if last.computed else 0.0
    comparison = fits * last.seconds
    later = len(task.samples) - len(sample.samples) + (FP32_COST - 1) * task.slower_images
    needed = comparison + each * later
    spent, budget = time.perf_counter() - began, task.config.budget_s
    if needed <= FEATURE_SHARE * (budget - spent):
        return ""
    sufficient = math.ceil((spent + needed / FEATURE_SHARE) / 60)
    return (
        f"as comparing other fits would take about {duration(comparison)} more, which the budget of "
        f"{duration(budget)} does not allow: {shapes_text(task.sizes)}; --fit pad keeps them whole, and "
        f"--budget {sufficient}m allows the comparison"
    )
