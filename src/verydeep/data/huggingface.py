"""A Hugging Face data set: of the hub, of ``save_to_disk``, or as Parquet shards, by their own library.

Images are taken as the bytes that they were stored as, so that our decoder sees them and no other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verydeep.data.folder import PART_NAMES
from verydeep.data.listing import LABEL_WORDS, Columns, Listing, as_text, find_column
from verydeep.download.download import offline
from verydeep.errors import DataError, DownloadError


@dataclass(frozen=True)
class TableImage:
    """An image in a table that is mapped from disk."""

    table: Any = field(repr=False, compare=False)
    """A ``datasets.Dataset`` of one column, the same for all images of a split."""
    place: str
    index: int

    def read(self) -> bytes:
        """What a file of its own would hold."""
        (image,) = self.table[self.index].values()
        if image is None:
            raise DataError(f"{self} is empty")
        stored: bytes = image["bytes"] if image["bytes"] is not None else Path(image["path"]).read_bytes()
        return stored

    def __str__(self) -> str:
        return f"{self.place}/{self.index}"


def is_saved(folder: Path) -> bool:
    """Whether ``save_to_disk`` wrote ``folder``."""
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))


def read_saved(folder: Path, asked: Columns) -> Listing:
    """What ``save_to_disk`` wrote.

    Raises:
        DataError: where the library is not installed, or the folder is broken or has no images.
    """
    library = _library()
    opened = _opened(str(folder), lambda: library.load_from_disk(str(folder)))
    return _listing(folder.resolve().name, str(folder), opened, asked)


def read_parquet_shards(place: Path, asked: Columns) -> Listing:
    """A folder of Parquet shards, as the hub lays them out, or one such file.

    Raises:
        DataError: as ``read_saved``.
    """
    library = _library()
    where = {"path": str(place)} if place.is_dir() else {"path": "parquet", "data_files": str(place)}
    opened = _opened(str(place), lambda: library.load_dataset(**where))
    return _listing(place.resolve().stem, str(place), opened, asked)


def read_hub(name: str, asked: Columns) -> Listing:
    """The data set ``owner/name`` of the hub, or ``owner/name/configuration``; it stays in the hub's cache.

    Raises:
        DownloadError: where it is not to be had.
        DataError: as ``read_saved``.
    """
    library = _library()
    if (variable := offline()) == "VERYDEEP_OFFLINE":
        raise DownloadError(
            f"hf:{name} is not asked for, because {variable} is set; HF_HUB_OFFLINE=1 allows its cache"
        )
    repo, configuration = "/".join(name.split("/")[:2]), name.split("/")[2:]
    try:
        opened = library.load_dataset(repo, *configuration)
    except Exception as error:  # of the library, of its client, of the net: no common ancestor
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DownloadError(
            f"hf:{name} could not be had from the hub: {first.rstrip('.')}. "
            "Look at its name; for one that is not public, log in by `hf auth login`"
        ) from error
    return _listing(name, f"hf:{name}", opened, asked)


def _library() -> Any:
    try:
        import datasets
    except ImportError:
        raise DataError(
            "a Hugging Face data set needs their library, which is not installed: "
            "pip install 'verydeep[datasets]'"
        ) from None
    return datasets


def _opened(place: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # the library lets through what Arrow, JSON and its own builders raise
        raise DataError(f"{place} is no whole data set: {str(error) or type(error).__name__}") from error


def _listing(name: str, place: str, opened: Any, asked: Columns) -> Listing:
    splits: Mapping[str, Any] = dict(opened) if isinstance(opened, dict) else {"": opened}
    if list(splits) == ["train"]:  # the library calls so what is not split
        splits = {"": splits["train"]}
    listings = [_split(place, split, table, asked) for split, table in splits.items()]
    classes = {listing.classes for listing in listings}
    if len(classes) > 1:
        raise DataError(f"{name}: the splits {', '.join(splits)} have different classes")
    columns = set.intersection(*(set(listing.columns) for listing in listings))
    return Listing(
        name=name,
        sources=tuple(source for listing in listings for source in listing.sources),
        names=tuple(text for listing in listings for text in listing.names),
        labels=tuple(label for listing in listings for label in listing.labels),
        parts=tuple(part for listing in listings for part in listing.parts),
        classes=classes.pop(),
        columns={
            column: tuple(value for listing in listings for value in listing.columns[column])
            for column in sorted(columns)
        },
    )


def _split(place: str, split: str, table: Any, asked: Columns) -> Listing:
    images = _image_column(place, table, asked)
    label = find_column(table.column_names, LABEL_WORDS, asked.label, place)
    names = getattr(table.features[label], "names", None) if label else None
    only_images = table.select_columns([images]).cast_column(images, _library().Image(decode=False))
    whole = f"{place}/{split}" if split else place
    sources = tuple(TableImage(only_images, whole, i) for i in range(len(table)))
    kinds = {column: type(kind).__name__ for column, kind in table.features.items()}
    others = [column for column in kinds if column != label and kinds[column] in ("Value", "ClassLabel")]
    return Listing(
        name=whole,
        sources=sources,
        names=tuple(f"{split}/{i}" if split else str(i) for i in range(len(table))),
        labels=tuple(_label(value, names) for value in table[label]) if label else (None,) * len(table),
        parts=(PART_NAMES.get(split.lower()),) * len(table),
        classes=tuple(names or ()),
        columns={column: tuple(map(as_text, table[column])) for column in others},
    )


def _image_column(place: str, table: Any, asked: Columns) -> str:
    kinds: dict[str, str] = {column: type(kind).__name__ for column, kind in table.features.items()}
    if asked.file is not None and kinds.get(asked.file) == "Image":
        return asked.file
    found = [column for column, kind in kinds.items() if kind == "Image"]
    if not found or asked.file is not None:
        described = ", ".join(f"{column} ({kind})" for column, kind in kinds.items())
        raise DataError(
            f"{place} has no column of images{f' {asked.file!r}' if asked.file else ''}; it has {described}"
        )
    return found[0]


def _label(value: Any, names: list[str] | None) -> str | None:
    """-1 stands on the hub for a label that is kept back."""
    if names is None or isinstance(value, str):
        return as_text(value) or None
    return str(names[value]) if value is not None and 0 <= value < len(names) else None
