"""Feature extraction: the frozen network runs once over all images. Unreadable images are left out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.check.check import check_unreadable
from verydeep.data.images import Images
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.data.split_checks import require_all_classes
from verydeep.data.split_parts import indices_of
from verydeep.data.stream import decode_all, require_readable, unreadable_images
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.samples import Samples
from verydeep.machine import InferencePrecision
from verydeep.train.start.own_images import exceed_memory
from verydeep.tune.feature_cache import Extract, FeatureCache, Features
from verydeep.tune.forecast import ExtractionForecast, Pace
from verydeep.tune.prepare import Task
from verydeep.tune.result import FeatureCost, ImageSummary


@dataclass(frozen=True, kw_only=True)
class ReadImages:
    """The images that can be read, with their features."""

    samples: Samples
    summary: ImageSummary
    features: Float32[Tensor, "count values"] | None
    """Of the frozen network; None where training from scratch needs none."""
    cost: FeatureCost | None
    pixels: Images | None
    """All of them in memory, where decoding them was the only way to know which can be read."""
    preprocess: Preprocess
    location: str
    """Where they are, for messages."""

    def part(self, *parts: Part) -> tuple[Float32[Tensor, "count values"], Samples]:
        """Features and samples of some parts."""
        indices = indices_of(self.samples, *parts)
        assert self.features is not None
        return self.features[indices], self.samples.select(indices)

    def with_columns(self, columns: slice) -> "ReadImages":
        """With some of the features only."""
        assert self.features is not None and self.cost is not None
        features = self.features[:, columns]
        return replace(self, features=features, cost=replace(self.cost, values=features.shape[1]))

    def images(self, indices: Int64[Tensor, " chosen"]) -> Images | ImagesOnDisk:
        """The images at ``indices``: on disk, where all of them are too many to be kept in memory."""
        if self.pixels is not None:
            return self.pixels.select(indices)
        samples = self.samples.select(indices)
        if not exceed_memory(len(self.samples), self.preprocess):
            return decode_all(samples, self.preprocess)[0]
        return ImagesOnDisk(
            sources=samples.sources,
            labels=torch.from_numpy(samples.labels),
            classes=samples.classes,
            preprocess=self.preprocess,
            location=self.location,
        )


class TooSlowError(Exception):
    """Feature extraction does not fit the budget, and a lighter network or smaller images may be chosen."""

    def __init__(self, forecast: ExtractionForecast) -> None:
        super().__init__(forecast.text)
        self.forecast = forecast


def extract_features(task: Task, extract: Extract, cache_root: Path | None, spent: float = 0.0) -> ReadImages:
    """Run the frozen network over all images whose features are not in the cache.

    Args:
        task: with the network and the images.
        extract: which features.
        cache_root: where features are kept; in the user's cache by default.
        spent: seconds of the budget that have passed.

    Raises:
        DataError: where too many images are unreadable, or a class has no training image left.
        Interrupted: where the watcher wants to stop; what was computed is in the cache.
        TooSlowError: where it takes longer than the budget allows, and no weights were asked for, or no size
            and a smaller one takes less time; what was computed is in the cache.
    """
    cache = _cache(task, extract, cache_root, task.precision)
    if task.precision == "fp32":
        features = extract_rows(task, cache, spent)
    else:
        features = _with_exact_test(task, cache, _cache(task, extract, cache_root, "fp32"), spent)
    samples, summary = _readable(task, features.indices, dict(features.unreadable))
    cost = FeatureCost(
        values=features.values.shape[1],
        computed=features.computed,
        cached=features.cached,
        seconds=features.seconds,
        cache=cache.folder,
    )
    return ReadImages(
        samples=samples,
        summary=summary,
        features=features.values,
        cost=cost,
        pixels=None,
        preprocess=task.network.preprocess,
        location=task.location,
    )


def _cache(
    task: Task, extract: Extract, cache_root: Path | None, precision: InferencePrecision
) -> FeatureCache:
    return FeatureCache(task.network.model, task.network.preprocess, cache_root, extract, precision)


def _with_exact_test(task: Task, cache: FeatureCache, exact: FeatureCache, spent: float) -> Features:
    """The features of all images by ``cache``, but for those of the test images by ``exact``, in fp32.

    What is measured on the test images is then the network as it is used.
    """
    test, others = indices_of(task.samples, "test"), indices_of(task.samples, "train", "val")
    first = extract_rows(
        task.select(others), cache, spent, later=len(test), slower=len(test), after=len(test)
    )
    then = extract_rows(task.select(test), exact, None, before=first.computed)
    extracted = ((others, first), (test, then))
    indices = torch.cat([chosen[features.indices] for chosen, features in extracted])
    ascending = indices.argsort()
    unreadable = [
        (int(chosen[index]), image) for chosen, features in extracted for index, image in features.unreadable
    ]
    return Features(
        values=torch.cat([features.values for _, features in extracted])[ascending],
        indices=indices[ascending],
        unreadable=tuple(sorted(unreadable, key=lambda each: each[0])),
        computed=sum(features.computed for _, features in extracted),
        cached=sum(features.cached for _, features in extracted),
        seconds=sum(features.seconds for _, features in extracted),
    )


def extract_rows(
    task: Task,
    cache: FeatureCache,
    spent: float | None,
    *,
    later: int = 0,
    slower: int = 0,
    before: int = 0,
    after: int = 0,
) -> Features:
    """The features of all images of ``task``, from ``cache`` or computed, with a forecast after some batches.

    Args:
        task: with the images.
        cache: of its network.
        spent: seconds of the budget that have passed; None where nothing is to be forecast.
        later: how many images follow, of which this is the beginning; they count in the forecast.
        slower: how many of the later ones are computed in fp32, where these are in bf16.
        before: how many images were computed before these, for the progress.
        after: how many images are computed next; likewise.

    Raises:
        Interrupted, TooSlowError: as ``extract_features``.
        DataError: where none can be read.
    """
    pace, forecasts = Pace(), list[ExtractionForecast]()

    def extracted(done: int, total: int) -> None:
        all_done, all_images = before + done, before + total + after
        task.watcher.extracted(all_done, all_images)
        task.watcher.stop_if_wanted(
            f"stopped after {all_done:,} of {all_images:,} images, whose features are kept"
        )
        if spent is not None and not forecasts and (seconds_each := pace.seconds_each(done)):
            forecasts.append(
                ExtractionForecast(
                    size=task.network.preprocess.size,
                    images=len(task.samples) + later,
                    to_compute=total + later,
                    slower=slower,
                    seconds_each=seconds_each,
                    spent=spent,
                    budget=task.config.budget_s,
                )
            )
            _use(forecasts[0], task)

    return cache(task.samples.sources, extracted, task.content)


def _use(forecast: ExtractionForecast, task: Task) -> None:
    may_resize = task.config.size is None and forecast.smaller_size is not None
    if not forecast.fits and (may_resize or task.may_change_weights):
        raise TooSlowError(forecast)
    task.watcher.forecasts(forecast)


def decode_images(task: Task) -> ReadImages:
    """Decode all images, for training from scratch, which needs no features; into memory if they fit.

    Raises:
        DataError: as ``extract_features``.
    """
    preprocess = task.network.preprocess
    if exceed_memory(len(task.samples), preprocess):
        images, broken = None, unreadable_images(task.samples.sources, preprocess)
        require_readable(task.samples, broken)
    else:
        images, broken = decode_all(task.samples, preprocess)
    by_source = {each.source: each for each in broken}
    unreadable = {i: by_source[each] for i, each in enumerate(task.samples.sources) if each in by_source}
    readable = torch.tensor([i for i in range(len(task.samples)) if i not in unreadable])
    samples, summary = _readable(task, readable, unreadable)
    return ReadImages(
        samples=samples,
        summary=summary,
        features=None,
        cost=None,
        pixels=images,
        preprocess=preprocess,
        location=task.location,
    )


def _readable(
    task: Task, readable: Tensor, unreadable: Mapping[int, UnreadableImage]
) -> tuple[Samples, ImageSummary]:
    """The samples at the indices ``readable``; the others go into the summary."""
    named = tuple(replace(each, name=task.samples.names[i]) for i, each in unreadable.items())
    check_unreadable(len(task.samples), named, task.location)
    samples = task.samples.select(readable)
    require_all_classes(samples)
    return samples, replace(task.summary, class_sizes=samples.class_sizes, unreadable=named)
