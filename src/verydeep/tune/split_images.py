"""The images of a tuning with their split, which weights that were trained on test images do not fit."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from verydeep.added_images.earlier_run import EarlierRun, read_earlier_run
from verydeep.added_images.kept_split import ImageChanges, with_kept_split
from verydeep.check.grouping import read_grouped
from verydeep.data.content import content_hashes
from verydeep.data.split_checks import require_all_classes
from verydeep.data.split_parts import is_split_here, with_test_part
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.samples import Samples
from verydeep.train.run_folder import RunFolder
from verydeep.train.start.seen_images import other_weights, require_unseen_test, trained_runs
from verydeep.tune.config import TuneConfig


@dataclass(frozen=True)
class SplitImages:
    """Images, each with its part."""

    samples: Samples
    given_parts: frozenset[Part | None]
    """As in ``Task``."""
    content: Callable[[], Sequence[bytes]]
    """Gives a hash of each image's file."""
    earlier: EarlierRun | None
    changes: ImageChanges | None
    """Since that run."""


def split_images(location: str, config: TuneConfig) -> SplitImages:
    """The images at ``location`` with their parts, by the split of an earlier run where ``config`` has one.

    Raises:
        DataError: as ``prepare``.
        CheckpointError: where the earlier run cannot be used.
    """
    samples = read_grouped(location, config.group_by)
    given_parts = frozenset({None} if is_split_here(samples) else samples.parts)
    content = cache(partial(content_hashes, samples.sources))
    earlier, changes = None, None
    if config.from_run is None:
        samples = with_test_part(samples, config.test, config.seed)
    else:
        earlier = read_earlier_run(Path(config.from_run))
        samples, changes = with_kept_split(samples, content(), earlier, config.test, config.seed)
    require_all_classes(samples)
    split = SplitImages(samples, given_parts, content, earlier, changes)
    return replace(split, samples=_with_unseen_test(split, location, config))


def _with_unseen_test(split: SplitImages, location: str, config: TuneConfig) -> Samples:
    """The images, with a note where the convolutions of the weights were trained on some of them.

    Raises:
        DataError: where these are test images.
    """
    samples, was_split_here = split.samples, None in split.given_parts
    if config.strategy == "scratch":
        return samples
    for run in trained_runs(config.weights):
        if run.is_probe:
            continue
        seen = run.seen(samples, np.arange(len(samples)), location, split.content)
        remedy = other_weights("--weights", is_split_here=was_split_here)
        if was_split_here and RunFolder(run.path).tune.is_file():
            remedy = f"Keep its split by --from {shlex.quote(str(run.path))}, or give other --weights"
        require_unseen_test(samples, seen, run, remedy)
        if len(seen):
            note = (
                f"{run.path} was trained on {len(seen):,} of the {len(samples):,} images, none of them a "
                "test image: with its weights, the figures of cross-validation and validation are too good"
            )
            samples = replace(samples, reading=samples.reading.noted(note))
    return samples
