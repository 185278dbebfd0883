"""The images of a study: a built-in data set, or your own."""

import hashlib
from dataclasses import replace

from verydeep.architecture.preprocess import IMAGENET
from verydeep.check.grouping import read_grouped
from verydeep.data.builtin import load_dataset
from verydeep.data.builtin_names import is_builtin, require_known
from verydeep.data.images import Dataset
from verydeep.data.split_checks import missing_classes, require_all_classes
from verydeep.data.split_parts import with_test_part
from verydeep.download.download import Progress
from verydeep.errors import DataError
from verydeep.image_sources.samples import Samples
from verydeep.name_list import first_names
from verydeep.number_format import bytes_text
from verydeep.study.trial_data import of_each_class
from verydeep.train.start.own_images import MEMORY_LIMIT, decoded

SIZE = 64
"""Side of your own images in px; after five pools the maps are 2 x 2."""
TEST_SHARE = 0.5
"""Share of your own images held out for testing, where they have no test part: a study trains on few."""


def study_images(
    location: str, group_by: str | None = None, progress: Progress | None = None
) -> tuple[Dataset, tuple[str, ...]]:
    """The images of a study in memory, and notes on those that were passed over.

    Your own test images are balanced over the classes, so that the accuracy is the balanced accuracy. The
    name of the data set has a hash of their pixels: finished runs are not mixed with those on other images.

    Args:
        location: the name of a built-in data set, or what ``read_samples`` takes.
        group_by: what keeps your own images together in the split (``read_grouped``).
        progress: called while a built-in data set is downloaded.

    Raises:
        DataError: where the images cannot be used, or a built-in data set is to be grouped.
        DownloadError: where a built-in data set cannot be downloaded.
    """
    require_known(location)
    if not is_builtin(location):
        return _own_images(with_test_part(read_grouped(location, group_by), TEST_SHARE, seed=0), location)
    if group_by is not None:
        raise DataError(
            f"{location} has its own test images, and no groups; --group-by is for your own images"
        )
    return load_dataset(location, progress=progress), ()


def _own_images(samples: Samples, location: str) -> tuple[Dataset, tuple[str, ...]]:
    _require_usable(samples, location)
    dataset, samples, note = decoded(samples, replace(IMAGENET, size=SIZE, resize=None), location)
    _require_usable(samples, location)  # without the images that cannot be read
    test = of_each_class(dataset.test, int(dataset.test.labels.bincount().min()), seed=0)
    used = f"of {len(dataset.test):,} test images {len(test):,} are used, equally many of each class"
    unused = f"{samples.parts.count('val'):,} val images are not used" if dataset.val is not None else ""
    skipped = f"skipped: {samples.reading.skipped_text}" if samples.reading.skipped else ""
    notes = tuple(filter(None, (skipped, *samples.reading.notes, note, used, unused)))
    return Dataset(f"{samples.name} ({_hash(dataset)})", dataset.train, test), notes


def _require_usable(samples: Samples, location: str) -> None:
    require_all_classes(samples)
    if missing := missing_classes(samples, "test"):
        raise DataError(
            f"{location} has no test images of {first_names(missing)}, and a study tests on equally many of "
            "each class. Add images, or leave the class out"
        )
    size = len(samples) * 3 * SIZE**2
    if size > MEMORY_LIMIT:
        raise DataError(
            f"a study keeps its images in memory: {len(samples):,} of {SIZE} px take {bytes_text(size)}, and "
            f"at most {bytes_text(MEMORY_LIMIT)} are possible. Give a folder with fewer images"
        )


def _hash(dataset: Dataset) -> str:
    """Of all pixels and labels, and the split."""
    digest = hashlib.sha256()
    for images in (dataset.train, dataset.test):
        digest.update(images.pixels.numpy().tobytes())
        digest.update(images.labels.numpy().tobytes())
    return digest.hexdigest()[:12]
