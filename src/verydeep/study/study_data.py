"""The images of a study: a built-in data set, or your own."""

from dataclasses import dataclass, replace

from verydeep.architecture.preprocess import IMAGENET
from verydeep.check.grouping import read_grouped
from verydeep.data.builtin import load_dataset
from verydeep.data.builtin_names import is_builtin, require_known
from verydeep.data.images import Dataset
from verydeep.data.split_checks import require_all_classes
from verydeep.data.split_parts import with_test_part
from verydeep.download.download import Progress
from verydeep.errors import DataError
from verydeep.study.trial_data import of_each_class
from verydeep.train.start.own_images import decoded

SIZE = 64
"""Of your own images, in px: the smallest that is left of five pools is 2 x 2."""
TEST_SHARE = 0.5
"""Of your own images that come without a test part: a study trains on few, and tests better on many."""


@dataclass(frozen=True)
class StudyData:
    """Which images a study has; a worker process loads them by itself.

    Raises:
        DataError: where a built-in data set has nothing to group by, or there is no such data.
    """

    location: str
    """The name of a built-in data set, or a location that ``read_samples`` takes."""
    group_by: str | None = None
    """What keeps your own images together in the split (``read_grouped``)."""

    def __post_init__(self) -> None:
        require_known(self.location)
        if self.group_by is not None and self.is_builtin:
            raise DataError(
                f"{self.location} has its own test images, and no groups; --group-by is for your own images"
            )

    @property
    def is_builtin(self) -> bool:
        """Whether it comes with its own test images."""
        return is_builtin(self.location)

    @property
    def name(self) -> str:
        """Equal names are equal images."""
        grouped = "" if self.group_by is None else f", grouped by {self.group_by}"
        return f"{self.location}{grouped}"

    def load(self, progress: Progress | None = None) -> tuple[Dataset, tuple[str, ...]]:
        """The images in memory, and what a person should know of those that were passed over.

        Of your own images the test images are equally many of each class, so that the accuracy on them is
        the balanced accuracy.

        Raises:
            DataError: where the images cannot be used.
            DownloadError: where a built-in data set cannot be downloaded.
        """
        if self.is_builtin:
            return load_dataset(self.location, progress=progress), ()
        samples = with_test_part(read_grouped(self.location, self.group_by), TEST_SHARE, seed=0)
        require_all_classes(samples)
        dataset, samples, note = decoded(samples, replace(IMAGENET, size=SIZE, resize=None), self.location)
        smallest = int(dataset.test.labels.bincount().min())
        read = samples.reading
        skipped = f"skipped: {read.skipped_text}" if read.skipped else ""
        test = of_each_class(dataset.test, smallest, seed=0)
        return Dataset(self.name, dataset.train, test), tuple(filter(None, (skipped, *read.notes, note)))
