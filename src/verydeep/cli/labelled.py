"""What a verb measures on: a built-in data set, or labelled images of one's own."""

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.cli.console import err
from verydeep.cli.progress import ByteProgress
from verydeep.data.builtin import NAMES, is_builtin, load_dataset
from verydeep.data.decode import decode
from verydeep.data.images import relabelled
from verydeep.data.partition import Wanted, as_kept, part_of
from verydeep.data.reading import read_samples
from verydeep.data.samples import Samples
from verydeep.errors import DataError
from verydeep.recipes.run import RunFolder
from verydeep.spec.preprocess import Preprocess

SIDE = 160
"""Of a thumbnail, in px."""


@dataclass(frozen=True)
class Labelled:
    """Images, in memory or on disk, with the network's labels."""

    name: str
    source: UInt8[Tensor, "count channels height width"] | Samples
    labels: Int64[Tensor, " count"]
    groups: tuple[str, ...] | None
    part: Wanted
    words: str
    """Which images they are."""

    def __len__(self) -> int:
        return len(self.labels)

    def name_of(self, place: int) -> str:
        """By which a person knows an image."""
        return self.source.names[place] if isinstance(self.source, Samples) else f"image {place}"

    def thumbnail(self, place: int) -> UInt8[Tensor, "channels height width"]:
        """The image, or the centre of its file, small."""
        if isinstance(self.source, Samples):
            small = Preprocess(size=SIDE, mean=(0, 0, 0), std=(1, 1, 1))
            return decode(self.source.sources[place], small)
        return self.source[place]


def read_labelled(
    data: str, classes: tuple[str, ...], run: Path, part: Wanted | None = None, group_by: str | None = None
) -> Labelled:
    """The images that ``data`` names, labelled by the ``classes`` of the network of ``run``.

    Args:
        data: the name of a built-in data set, or a place that ``read_samples`` takes.
        classes: the network's, in order.
        run: where it may keep which images were for the test.
        part: which images; those for the test by default, and all where none are.
        group_by: what groups images, for ``read_samples``.

    Raises:
        DataError: where there are no such images, or their classes are not the network's.
    """
    if is_builtin(data):
        return _of_builtin(data, classes, part or "test", group_by)
    if not Path(data).expanduser().exists() and ":" not in data:
        raise DataError(f"{data} is neither a folder nor a built-in data set; these are {', '.join(NAMES)}")
    samples = read_samples(data, group_by=group_by)
    split = RunFolder(run if run.is_dir() else run.parent).split
    everything = len(samples)
    kept = as_kept(samples, split) if split.exists() else samples
    chosen, taken = part_of(kept, part)
    words = (
        f"{len(chosen):,} of the {everything:,} images of {samples.name}: {_reason(kept is samples, taken)}"
    )
    if kept is not samples and len(kept) < everything:
        words += f"; {everything - len(kept):,} are not named there, and left out"
    labels = relabelled(chosen.labels, chosen.classes, classes, samples.name)
    return Labelled(samples.name, chosen, labels, chosen.groups, taken, words)


def _reason(is_own: bool, taken: Wanted) -> str:
    if taken == "all":
        return "all, as no part is for the test; if it was trained on some of them, it looks too good"
    return f"the part {taken}, by its folder" if is_own else f"the part {taken}, as the run kept it"


def _of_builtin(data: str, classes: tuple[str, ...], part: Wanted, group_by: str | None) -> Labelled:
    if part not in ("train", "test") or group_by:
        raise DataError(f"{data} has the parts test and train, and no groups")
    with ByteProgress(err(), f"Fetching {data}") as progress:
        dataset = load_dataset(data, progress=progress)
    images = dataset.test if part == "test" else dataset.train
    labels = relabelled(images.labels, images.classes, classes, data)
    words = f"the {len(images):,} {part} images of {dataset.name}"
    return Labelled(dataset.name, images.pixels, labels, None, part, words)
