"""Reads your own labeled images from any supported source; ``find_images.py`` says what a source is."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from verydeep.errors import DataError
from verydeep.image_sources.find_images import find_listing
from verydeep.image_sources.folders.read_folder import read_folder
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.labels import label_text, whole_numbers
from verydeep.image_sources.listing import Listing
from verydeep.image_sources.part_names import PART_WORDS
from verydeep.image_sources.repeats import are_different, real_sources
from verydeep.image_sources.samples import Samples
from verydeep.packs.open_pack import is_pack, open_pack
from verydeep.packs.pack import Pack
from verydeep.user_path import user_path

MAX_SPLITS = 5
"""Names in a note."""


def read_samples(location: str | Path) -> Samples:
    """The labeled images at ``location``; their files are not read yet.

    Args:
        location: a folder of class folders, or of train, val and test folders with class folders; a list; a
            WebDataset; a Hugging Face data set; a pack.

    Raises:
        DataError: if there are no labeled images.
    """
    path = user_path(location)
    if is_pack(path):
        return _packed(open_pack(path))
    listing = find_listing(str(location))
    return to_samples(listing) if listing else read_folder(path)


def _packed(pack: Pack) -> Samples:
    """The images of a pack; they stay in it, and so do their names."""
    return Samples(
        name=pack.name,
        sources=pack.sources,
        names=pack.names,
        labels=pack.labels,
        classes=pack.classes,
        parts=pack.parts,
        groups=pack.groups,
    )


def to_samples(listing: Listing) -> Samples:
    """``listing`` as samples. Integer labels are sorted by number, others as text.

    Raises:
        DataError: if an image has no label, or two images have the same name or are the same file.
    """
    positions = listing.positions or listing.names
    labels = _labels(listing, positions)
    _require_unique(listing, positions)
    classes = listing.classes or sorted_classes(set(labels))
    numbers = {text: number for number, text in enumerate(classes)}
    return Samples(
        name=listing.name,
        sources=listing.sources,
        names=listing.names,
        labels=np.array([numbers[label] for label in labels], dtype=np.int64),
        classes=classes,
        parts=listing.parts,
        columns=listing.columns,
        reading=listing.reading.noted(*_part_notes(listing)),
    )


def _part_notes(listing: Listing) -> Iterator[str]:
    """What becomes of images without a part, beside images that have one."""
    count = listing.parts.count(None)
    if not count or (count == len(listing.parts) and not listing.unnamed_splits):
        return
    shown = ", ".join(listing.unnamed_splits[:MAX_SPLITS])
    more = ", ..." if len(listing.unnamed_splits) > MAX_SPLITS else ""
    where = f" ({shown}{more})" if shown else ""
    use = "used for training" if "test" in listing.parts else "divided into training and test images"
    images, they = ("image", "It is") if count == 1 else ("images", "They are")
    yield (
        f"{count:,} {images} without a part of the split{where}; its usual names are "
        f"{', '.join(PART_WORDS)}. {they} {use}"
    )


def _labels(listing: Listing, positions: Sequence[str]) -> list[str]:
    """The label of every image; whole numbers without decimals."""
    labels: list[str] = []
    for index, given in enumerate(listing.labels):
        label = given if listing.classes else label_text(given)
        if label is None:
            found = f" ({given!r} marks a missing value)" if given else ""
            advice = f". {listing.label_advice}" if listing.label_advice else ""
            raise DataError(
                f"{_where(listing)}{positions[index]} has no label{found}; label every image to train or "
                f"evaluate{advice}"
            )
        labels.append(label)
    return labels if listing.classes else whole_numbers(labels)


def _require_unique(listing: Listing, positions: Sequence[str]) -> None:
    """Refuse two images of one name, and one file under two names, such as ``a.jpg`` and ``./a.jpg``."""
    if are_different(listing.names) and are_different(real_sources(listing.sources)):
        return
    position_of: dict[str, str] = {}
    first_of: dict[ImageSource, int] = {}
    named = zip(listing.names, real_sources(listing.sources), strict=True)
    for index, (name, source) in enumerate(named):
        first = first_of.setdefault(source, index)
        if name in position_of or first != index:
            before = position_of.get(name) or positions[first]
            other = "" if name in position_of else f", where it is written {listing.names[first]}"
            raise DataError(
                f"{_where(listing)}{positions[index]} repeats {name} from {before}{other}. Remove one of them"
            )
        position_of[name] = positions[index]


def _where(listing: Listing) -> str:
    return f"{listing.location}, " if listing.location else f"{listing.name}: "


def sorted_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Class names sorted by number (2 before 10) if all are integers, else as text."""
    names = sorted(labels)
    return tuple(sorted(names, key=int) if all(map(_is_integer, names)) else names)


def _is_integer(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()
