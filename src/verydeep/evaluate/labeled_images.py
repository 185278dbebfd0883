"""Labeled images to evaluate a network on; here those of a folder, list or shards of your own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from verydeep.architecture.preprocess import Preprocess
from verydeep.check.grouping import read_grouped
from verydeep.data.builtin_names import require_known
from verydeep.data.image_split import least_named, other_images_note, read_image_split, trained_parts
from verydeep.data.split_file import WantedPart, images_of_part, split_of_run
from verydeep.decoding.decode import decode_pixels
from verydeep.evaluate.network_labels import network_labels
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.reading import Reading
from verydeep.image_sources.samples import Samples

THUMBNAIL_SIDE = 160
"""In px."""
TOO_GOOD = "the result is too good (data leakage)"


@dataclass(frozen=True)
class LabeledImages:
    """Images, in memory or on disk, with labels that are indices of the network's classes."""

    name: str
    source: UInt8[np.ndarray, "count channels height width"] | Samples
    labels: Int64[np.ndarray, " count"]
    groups: tuple[str, ...] | None
    part: WantedPart
    description: str
    """Which images these are."""
    reading: Reading = field(default_factory=Reading)
    """What was passed over where your own images were looked up."""
    trained_on: tuple[Part, ...] = ("train",)
    """The parts that the network was trained on."""

    def __len__(self) -> int:
        return len(self.labels)

    def name_of(self, index: int) -> str:
        """The name of an image for people."""
        return self.source.names[index] if isinstance(self.source, Samples) else f"image {index}"

    def thumbnail(self, index: int) -> UInt8[np.ndarray, "channels height width"]:
        """A small version of the image; of a file, all of it on a white square."""
        if isinstance(self.source, Samples):
            small = Preprocess(size=THUMBNAIL_SIDE, mean=(1, 1, 1), std=(1, 1, 1), fit="pad")
            return decode_pixels(self.source.sources[index], small)
        return np.asarray(self.source[index])


def read_labeled(
    data: str,
    classes: tuple[str, ...],
    run: Path,
    part: WantedPart | None = None,
    group_by: str | None = None,
    origin: Mapping[str, Any] = MappingProxyType({}),
) -> LabeledImages:
    """The images of ``data``, labeled with the ``classes`` of the network of ``run``.

    Args:
        data: anything that ``read_samples`` reads.
        classes: the network's, in order.
        run: the run folder or a file in it; it may hold the split that the network was trained with.
        part: which images; the test images by default, and all where there is no test part.
        group_by: a pattern or a column for groups of images, as in ``read_grouped``.
        origin: of the network: where it was trained, and by which strategy.

    Raises:
        DataError: if there are no such images, or the network does not have their classes.
    """
    require_known(data)
    samples = read_grouped(data, group_by)
    split = split_of_run(run)
    total = len(samples)
    kept = None if split is None else read_image_split(split, samples, least_named(data, origin))
    trained_on = trained_parts(origin)
    known = samples if kept is None else kept.samples
    chosen, chosen_part = images_of_part(known, part)
    reason = _reason(known, chosen_part, trained_on, by_run=kept is not None)
    description = f"{len(chosen):,} of the {total:,} images of {samples.name}: {reason}"
    if split is not None and kept is None:
        description += f"; {other_images_note(split, samples)}"
    if len(known) < total:
        description += f"; {total - len(known):,} are not in the split of the run and are left out"
    if samples.reading.skipped:
        description += f"; skipped: {samples.reading.skipped_text}"
    labels = network_labels(chosen.labels, chosen.classes, classes, samples.name)
    return LabeledImages(
        name=samples.name,
        source=chosen,
        labels=labels,
        groups=chosen.groups,
        part=chosen_part,
        description=description,
        reading=samples.reading,
        trained_on=trained_on,
    )


def _reason(known: Samples, part: WantedPart, trained_on: tuple[Part, ...], *, by_run: bool) -> str:
    """Why these images are evaluated, and what to know about it; ``by_run`` is whether its split says so."""
    if part == "all":
        which = "all of its parts" if "test" in known.parts else "all of them, as there is no test part"
        if by_run:
            return f"{which}, also those that the network was trained on, so {TOO_GOOD}"
        return f"{which}; if the network was trained on some of them, {TOO_GOOD}"
    if not by_run:
        return f"the {part} part, by its folder"
    trained = f"; the network was trained on it, so {TOO_GOOD}" if part in trained_on else ""
    return f"the {part} part, as kept by the run{trained}"
