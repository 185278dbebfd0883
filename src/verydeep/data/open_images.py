"""The one door to images of one's own: whatever names them becomes samples, or sources to predict.

A place is a folder of class folders; a list of images, ``cells.csv``; a WebDataset, ``train-{000..012}.tar``
or a folder of shards; or a Hugging Face data set, ``hf:owner/name`` or a folder that holds one. Where columns
have names of their own, they stand behind it: ``cells.csv:diagnosis``, ``cells.csv:scan,diagnosis``.
"""

import glob
from collections.abc import Iterable
from pathlib import Path

from verydeep.data.decode import globbed, image_files
from verydeep.data.folder import images_below, read_folder
from verydeep.data.huggingface import is_saved, read_hub, read_parquet_shards, read_saved
from verydeep.data.list_file import SUFFIXES, read_table
from verydeep.data.listing import Columns, Listing, labeled
from verydeep.data.parquet import parquet
from verydeep.data.samples import ImageSource, Samples
from verydeep.data.webdataset import expand, read_shards
from verydeep.errors import DataError

HUB = "hf:"
"""What the name of a data set on Hugging Face's hub begins with."""


def read_samples(place: str | Path) -> Samples:
    """The labeled images at ``place``, still on disk.

    Args:
        place: a folder of class folders, or of train, val and test folders of them; a list; shards; a data
            set of Hugging Face.

    Raises:
        DataError: where ``place`` holds no labeled images.
    """
    listing = _listing(str(place))
    return labeled(listing) if listing else read_folder(Path(place).expanduser())


def read_sources(places: Iterable[str | Path]) -> list[ImageSource]:
    """The images that ``places`` name, each once, in order; labels are not asked for.

    Args:
        places: what ``read_samples`` takes; and image files, any folders of them, and globs.

    Raises:
        DataError: where a place is not there, or has no image.
    """
    found: dict[ImageSource, None] = {}
    for place in places:
        listing = _listing(str(place))
        found |= dict.fromkeys(listing.sources if listing else image_files([place]))
    return list(found)


def _listing(place: str) -> Listing | None:
    """What is at ``place``, where it is neither images nor a folder of them."""
    place, asked = _columns(place)
    found = _read_listing(place, asked)
    if found is None and asked != Columns():
        raise DataError(f"{place} is no list, no shards and no data set; it has no columns to choose from")
    return found


def _read_listing(place: str, asked: Columns) -> Listing | None:
    path = Path(place).expanduser()
    if place.startswith(HUB):
        return read_hub(place.removeprefix(HUB), asked)
    if path.is_dir():
        return _of_folder(path, asked)
    if path.suffix.lower() == ".parquet" and path.is_file() and _holds_images(path):
        return read_parquet_shards(path, asked)
    if path.suffix.lower() in SUFFIXES:
        return read_table(path, asked)
    return read_shards(path.stem, _shards(path), asked) if path.suffix.lower() == ".tar" else None


def _columns(place: str) -> tuple[str, Columns]:
    """``place`` and the columns behind it: ``:LABEL`` or ``:FILE,LABEL``."""
    start, colon, names = place.rpartition(":")
    is_drive = len(start) == 1  # C:\cells
    if not colon or is_drive or start + colon == HUB or Path(place).exists() or "/" in names or "\\" in names:
        return place, Columns()
    *file, label = names.split(",")
    if len(file) > 1 or not all((*file, label)):
        raise DataError(f"{names!r} behind {start} names no columns; expected :LABEL or :FILE,LABEL")
    return start, Columns(file[0].strip() if file else None, label.strip())


def _of_folder(folder: Path, asked: Columns) -> Listing | None:
    if is_saved(folder):
        return read_saved(folder, asked)
    if next(images_below(folder), None) is not None:
        return None
    if shards := sorted([*folder.glob("*.tar"), *folder.glob("*/*.tar")]):
        return read_shards(folder.resolve().name, shards, asked)
    if any(folder.glob("*.parquet")) or any(folder.glob("*/*.parquet")):
        return read_parquet_shards(folder, asked)
    return None


def _holds_images(file: Path) -> bool:
    """Whether the Parquet table has the images themselves, as the hub's have, and not their paths."""
    arrow, arrow_parquet = parquet("save the list as CSV")
    try:
        schema = arrow_parquet.read_schema(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} is no Parquet table: {error}") from None
    structs = [field.type for field in schema if arrow.types.is_struct(field.type)]
    return any(kind.get_field_index("bytes") >= 0 for kind in structs)


def _shards(path: Path) -> list[Path]:
    """The shards that a range or a glob stands for; a file that is there is itself."""
    if path.is_file() or not glob.has_magic(str(path)):
        return expand(str(path))
    found = [each for one in expand(str(path)) for each in globbed(str(one))]
    if not found:
        raise DataError(
            f"{path} finds no shards; give files, a range such as train-{{000..012}}.tar, or a glob"
        )
    return found
