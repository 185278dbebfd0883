"""Reads Hugging Face data sets (from the Hub, from ``save_to_disk``, or Parquet shards) with their library.

Images are read as the stored bytes, so that they are decoded by our decoder like all other images.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from verydeep.download.offline import offline
from verydeep.errors import DataError, DownloadError, UnreadableError
from verydeep.image_sources.listing import LABEL_COLUMNS, Columns, Listing, cell_text, find_column
from verydeep.image_sources.part_names import Part, part_mentioned, part_named
from verydeep.image_sources.reading import Reading
from verydeep.rows import Rows, joined


@dataclass(frozen=True)
class TableImage:
    """An image in a memory-mapped table."""

    table: Any = field(repr=False, compare=False)
    """A ``datasets.Dataset`` of one column, shared by all images of a split."""
    location: str
    """The data set and the split, for messages."""
    index: int

    def read(self) -> bytes:
        """The content of the image file."""
        (image,) = self.table[self.index].values()
        if image is None:
            raise UnreadableError(f"{self} is empty", "empty")
        stored: bytes = image["bytes"] if image["bytes"] is not None else Path(image["path"]).read_bytes()
        return stored

    def __str__(self) -> str:
        return f"{self.location}/{self.index}"


def is_saved_dataset(folder: Path) -> bool:
    """Whether ``folder`` was written by ``save_to_disk``."""
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))


def read_saved_dataset(folder: Path, columns: Columns) -> Listing:
    """A data set that was written by ``save_to_disk``.

    Raises:
        DataError: if the library is not installed, or the folder is corrupt or has no images.
    """
    library = _library()
    dataset = _open(str(folder), lambda: library.load_from_disk(str(folder)))
    return _listing(folder.resolve().name, str(folder), dataset, columns)


def read_parquet_dataset(path: Path, columns: Columns) -> Listing:
    """A folder of Parquet shards in the layout of the Hub, or one such file.

    Raises:
        DataError: as ``read_saved_dataset``.
    """
    library = _library()
    arguments = {"path": str(path)} if path.is_dir() else {"path": "parquet", "data_files": str(path)}
    dataset = _open(str(path), lambda: library.load_dataset(**arguments))
    return _listing(path.resolve().stem, str(path), dataset, columns)


def read_hub_dataset(name: str, columns: Columns) -> Listing:
    """The data set ``owner/name`` or ``owner/name/configuration`` of the Hub, stored in the Hub's own cache.

    Raises:
        DownloadError: if it cannot be downloaded.
        DataError: as ``read_saved_dataset``.
    """
    library = _library()
    if (variable := offline()) == "VERYDEEP_OFFLINE":
        raise DownloadError(
            f"hf:{name} is not downloaded, because {variable} is set; use HF_HUB_OFFLINE=1 to read it from "
            "its cache"
        )
    repo, configuration = "/".join(name.split("/")[:2]), name.split("/")[2:]
    try:
        dataset = library.load_dataset(repo, *configuration)
    except Exception as error:  # from the library, its HTTP client or the network: no common base class
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DownloadError(
            f"Could not download hf:{name} from the Hub: {first_line.rstrip('.')}. "
            "Check its name; for a private data set, log in with `hf auth login`"
        ) from error
    return _listing(name, f"hf:{name}", dataset, columns)


def _library() -> Any:
    try:
        import datasets
    except ImportError:
        raise DataError(
            "a Hugging Face data set needs the library `datasets`, which is not installed: "
            "pip install 'verydeep[datasets]'"
        ) from None
    return datasets


def _open(location: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # the library passes on the errors of Arrow, JSON and its own builders
        raise DataError(
            f"{location} is not a complete data set: {str(error) or type(error).__name__}"
        ) from error


def _listing(name: str, location: str, dataset: Any, columns: Columns) -> Listing:
    splits: Mapping[str, Any] = dict(dataset) if isinstance(dataset, dict) else {"": dataset}
    if list(splits) == ["train"]:  # the library's name for a data set without splits
        splits = {"": splits["train"]}
    listings = [_split(location, split, table, columns) for split, table in splits.items()]
    classes = {listing.classes for listing in listings}
    if len(classes) > 1:
        raise DataError(f"{name}: the splits {', '.join(splits)} have different classes")
    common = set.intersection(*(set(listing.columns) for listing in listings))
    unnamed = tuple(split for split in splits if _part(split) is None)
    return Listing(
        name=name,
        sources=joined([listing.sources for listing in listings]),
        names=joined([listing.names for listing in listings]),
        labels=tuple(label for listing in listings for label in listing.labels),
        parts=tuple(part for listing in listings for part in listing.parts),
        classes=classes.pop(),
        columns={
            column: tuple(value for listing in listings for value in listing.columns[column])
            for column in sorted(common)
        },
        unnamed_splits=unnamed if len(splits) > 1 else (),
        reading=Reading(
            notes=tuple(
                f"the split {split} has {part} images, by its name"
                for split in splits
                if (part := _part(split)) and not part_named(split)
            )
        ),
    )


def _part(split: str) -> Part | None:
    """The part that the name is of, or mentions: ``test_ood`` has no images to train on."""
    return part_named(split) or part_mentioned(split)


def _split(location: str, split: str, table: Any, columns: Columns) -> Listing:
    images = _image_column(location, table, columns)
    label = find_column(table.column_names, LABEL_COLUMNS, columns.label, location)
    names = getattr(table.features[label], "names", None) if label else None
    only_images = table.select_columns([images]).cast_column(images, _library().Image(decode=False))
    name = f"{location}/{split}" if split else location
    indices = np.arange(len(table), dtype=np.uint32)
    types = _column_types(table)
    others = [column for column in types if column != label and types[column] in ("Value", "ClassLabel")]
    return Listing(
        name=name,
        sources=Rows(lambda index: TableImage(only_images, name, index), indices),
        names=Rows(lambda index: f"{split}/{index}" if split else str(index), indices),
        labels=tuple(_label(value, names) for value in table[label]) if label else (None,) * len(table),
        parts=(_part(split),) * len(table),
        classes=tuple(names or ()),
        columns={column: tuple(map(cell_text, table[column])) for column in others},
    )


def _column_types(table: Any) -> dict[str, str]:
    return {column: type(feature).__name__ for column, feature in table.features.items()}


def _image_column(location: str, table: Any, columns: Columns) -> str:
    types = _column_types(table)
    if columns.file is not None and types.get(columns.file) == "Image":
        return columns.file
    image_columns = [column for column, type_name in types.items() if type_name == "Image"]
    if not image_columns or columns.file is not None:
        described = ", ".join(f"{column} ({type_name})" for column, type_name in types.items())
        name = f" {columns.file!r}" if columns.file else ""
        raise DataError(f"{location} has no image column{name}; it has {described}")
    return image_columns[0]


def _label(value: Any, names: list[str] | None) -> str | None:
    """The class name; None for -1, which marks a hidden label on the Hub."""
    if names is None or isinstance(value, str):
        return sys.intern(cell_text(value)) or None  # one text for all images of a class
    return str(names[value]) if value is not None and 0 <= value < len(names) else None
