"""Finds your own images, labeled or not, in any supported source.

A source is a folder; an image file; a list of images, ``cells.csv``; a WebDataset, ``train-{000..012}.tar``
or a folder of shards; a Hugging Face data set, ``hf:owner/name`` or a folder with one; or a pack. Other
column names are given after a colon: ``cells.csv:diagnosis``, ``cells.csv:scan,diagnosis``.
"""

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from verydeep.errors import DataError
from verydeep.image_sources.folders.image_paths import ImagePaths
from verydeep.image_sources.folders.walk import is_hidden, walk
from verydeep.image_sources.huggingface import (
    is_saved_dataset,
    read_hub_dataset,
    read_parquet_dataset,
    read_saved_dataset,
)
from verydeep.image_sources.image_files import FoundFiles, find_files, glob_files
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.list_file import LIST_SUFFIXES, read_list
from verydeep.image_sources.listing import Columns, Listing
from verydeep.image_sources.parquet import import_pyarrow
from verydeep.image_sources.reading import Reading, joined
from verydeep.image_sources.repeats import are_different, real_sources
from verydeep.image_sources.webdataset import expand_range, read_webdataset
from verydeep.packs.open_pack import is_pack, open_pack
from verydeep.packs.packed_pixels import PackedImage
from verydeep.rows import computed
from verydeep.user_path import user_path

HUB_PREFIX = "hf:"
"""The prefix of a data set on the Hugging Face Hub."""


@dataclass(frozen=True)
class FoundImages:
    """Images, labeled or not, each once, in order."""

    sources: Sequence[ImageSource]
    reading: Reading
    """What was passed over."""
    is_search: bool
    """Whether folders, globs, lists or data sets were read, and not only files that were named one by one."""


def find_images(locations: Iterable[str | Path]) -> FoundImages:
    """The images at ``locations``, each once; labels are not needed.

    Args:
        locations: as for ``read_samples``, and also image files, any folders of images, and globs.

    Raises:
        DataError: if a location does not exist or has no images.
    """
    columns: list[Sequence[ImageSource]] = []
    readings: list[Reading] = []
    is_search = False
    for location in locations:
        found = find_listing(str(location)) or find_files(location)
        columns.append(found.files if isinstance(found, FoundFiles) else found.sources)
        readings.append(found.reading)
        is_search |= not user_path(location).is_file() or not isinstance(found, FoundFiles)
    sources, repeated = _each_once(columns)
    if repeated:
        readings.append(Reading({"repeated": repeated}))
    return FoundImages(sources, joined(readings), is_search)


def _each_once(columns: Sequence[Sequence[ImageSource]]) -> tuple[Sequence[ImageSource], int]:
    """All images of ``columns``, each once, and how often one was there again."""
    if len(columns) == 1:
        (column,) = columns
        is_of_pack = len(column) > 0 and isinstance(column[0], PackedImage)
        # A walk finds each file once, and the names in a pack are different.
        if isinstance(column, ImagePaths) or is_of_pack or are_different(real_sources(column)):
            return column, 0
    sources: dict[ImageSource, ImageSource] = {}
    for column in columns:
        for image, real in zip(column, real_sources(column), strict=True):
            sources.setdefault(real, image)
    return tuple(sources.values()), sum(map(len, columns)) - len(sources)


def read_sources(locations: Iterable[str | Path]) -> list[ImageSource]:
    """The sources of ``find_images``."""
    return list(find_images(locations).sources)


def find_listing(location: str) -> Listing | None:
    """The images of a list, shards or a data set; None for image files, folders of them, and globs."""
    location, columns = split_columns(location)
    listing = _read_listing(location, columns)
    if listing is None and columns != Columns():
        raise DataError(f"{location} is not a list, shards or a data set; only these have columns")
    return listing


def _read_listing(location: str, columns: Columns) -> Listing | None:
    path = user_path(location)
    if is_pack(path):
        if columns != Columns():
            raise DataError(f"{location} is a pack, which has no columns; give it without their names")
        pack = open_pack(path)
        labels = computed(lambda index: pack.classes[pack.labels[index]], len(pack))
        return Listing(
            name=pack.name, sources=pack.sources, names=pack.names, labels=labels, parts=pack.parts,
            classes=pack.classes,
        )  # fmt: skip
    if location.startswith(HUB_PREFIX):
        return read_hub_dataset(location.removeprefix(HUB_PREFIX), columns)
    if path.is_dir():
        return _read_dataset_folder(path, columns)
    if path.suffix.lower() == ".parquet" and path.is_file() and _contains_images(path):
        return read_parquet_dataset(path, columns)
    if path.suffix.lower() in LIST_SUFFIXES:
        return read_list(path, columns)
    if path.suffix.lower() == ".tar":
        return read_webdataset(path.stem, _shards(path), columns)
    return None


def split_columns(location: str) -> tuple[str, Columns]:
    """``location`` without the column names after it, ``:LABEL`` or ``:FILE,LABEL``, and these names."""
    start, colon, names = location.rpartition(":")
    is_drive = len(start) == 1  # C:\cells
    is_hub = start + colon == HUB_PREFIX
    if not colon or is_drive or is_hub or Path(location).exists() or "/" in names or "\\" in names:
        return location, Columns()
    *file, label = names.split(",")
    if len(file) > 1 or not all((*file, label)):
        raise DataError(f"{names!r} after {start} is not a choice of columns; expected :LABEL or :FILE,LABEL")
    return start, Columns(file[0].strip() if file else None, label.strip())


def _read_dataset_folder(folder: Path, columns: Columns) -> Listing | None:
    """A folder that contains a saved data set or shards; None for a folder of image files."""
    if is_saved_dataset(folder):
        return read_saved_dataset(folder, columns)
    shards, hidden_shards = _files_of_dataset(folder, ".tar")
    tables, hidden_tables = _files_of_dataset(folder, ".parquet")
    if not (shards or tables) or walk(folder).images:
        return None
    listing = (
        read_webdataset(folder.resolve().name, shards, columns)
        if shards
        else read_parquet_dataset(folder, columns)
    )
    hidden = hidden_shards if shards else hidden_tables
    skipped = Reading({"hidden": hidden} if hidden else {})
    return replace(listing, reading=joined([listing.reading, skipped]))


def _files_of_dataset(folder: Path, suffix: str) -> tuple[list[Path], int]:
    """The files in ``folder`` and the folders in it; and how many are hidden, as ``._a.tar`` of macOS."""
    found = sorted([*folder.glob(f"*{suffix}"), *folder.glob(f"*/*{suffix}")])
    visible = [file for file in found if not any(map(is_hidden, file.relative_to(folder).parts))]
    return visible, len(found) - len(visible)


def _contains_images(file: Path) -> bool:
    """Whether a Parquet table contains the images themselves, as on the Hub, instead of their paths."""
    pyarrow, pyarrow_parquet = import_pyarrow("save the list as CSV")
    try:
        schema = pyarrow_parquet.read_schema(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} is not a Parquet table: {error}") from None
    structs = [field.type for field in schema if pyarrow.types.is_struct(field.type)]
    return any(struct.get_field_index("bytes") >= 0 for struct in structs)


def _shards(path: Path) -> list[Path]:
    """The shards of a range or a glob; a path of an existing file is one shard."""
    if path.is_file() or not glob.has_magic(str(path)):
        return expand_range(str(path))
    shards = [each for pattern in expand_range(str(path)) for each in glob_files(str(pattern))]
    if not shards:
        raise DataError(
            f"{path} matches no shards; give files, a range such as train-{{000..012}}.tar, or a glob"
        )
    return shards
