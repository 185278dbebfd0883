"""Sorts images into folders by their predicted class: ``sorted/cat/1.jpg``."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from verydeep.atomic_write import remove_leftovers
from verydeep.data.class_folders import numbered_class_folders
from verydeep.data.place_file import COPY, place_copy, place_link
from verydeep.data.progress import OnProgress
from verydeep.errors import DataError, Interrupted
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.own_file import own_file
from verydeep.prediction.network import Network
from verydeep.prediction.predict import NONE_OF_THESE, Prediction, predict
from verydeep.user_path import user_path

Place = Callable[[ImageSource, Path], bool]
"""Puts an image into a folder, and returns whether it was not there before."""


@dataclass(frozen=True, kw_only=True)
class SortSummary:
    """The result of sorting images into folders."""

    out: Path
    folders: dict[str, int]
    """The images of each folder in this run, those that were there before included."""
    placed: int
    """Images that were copied or linked."""
    kept: int
    """Images that were in their folder before."""
    broken: tuple[Prediction, ...]
    """The images that cannot be read, and are in no folder."""

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "out": str(self.out),
            "folders": self.folders,
            "placed": self.placed,
            "kept": self.kept,
            "broken": [prediction.values for prediction in self.broken],
        }


def check_sort_folder(folder: Path, locations: Sequence[str], sources: Sequence[ImageSource]) -> None:
    """Reject a folder that a later run would read as images, or that is none.

    Raises:
        DataError: if ``folder`` is a file, is inside of one of ``locations``, or holds one of ``sources``.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; --sort-into needs a folder")
    absolute = folder.resolve()
    for location in locations:
        path = user_path(location)
        if path.is_dir() and absolute.is_relative_to(path.resolve()):
            raise DataError(
                f"{folder} is inside of {location}: the next run would sort its copies too. "
                "Name a folder outside of the images"
            )
    for source in sources:
        if isinstance(source, Path) and source.absolute().is_relative_to(absolute):
            raise DataError(f"{source} is inside of {folder}: name a folder outside of the images")


def check_links(sources: Sequence[ImageSource]) -> None:
    """Reject images that no link can lead to.

    Raises:
        DataError: if one of ``sources`` is not a file of its own.
    """
    inside = next((source for source in sources if not isinstance(source, Path)), None)
    if inside is not None:
        raise DataError(f"{inside} is inside of another file, which cannot be linked to. Leave out --link")


def sort_images(
    network: Network,
    sources: Sequence[ImageSource],
    folder: Path,
    *,
    link: bool = False,
    reject_below: float | None = None,
    batch_size: int | None = None,
    progress: OnProgress | None = None,
) -> SortSummary:
    """Copy each image into a folder of ``folder`` that is named after its predicted class.

    No file is moved or replaced: another file of that name makes it ``cat-2.jpg``, and an image that is in
    its folder already is left, so that the same call can be repeated. An image inside of another file becomes
    a file of its own; ``own_file.py`` has its name.

    Args:
        network: a checkpoint, or an exported network.
        sources: the images.
        folder: where the class folders are made.
        link: make symbolic links to the images instead of copies.
        reject_below: the confidence below which an image goes into the folder ``none of these``.
        batch_size: images per batch; by default it depends on their size.
        progress: called after each batch.

    Raises:
        DataError: if an image cannot be linked to, or a class is called like the folder for rejected images.
        Interrupted: on Ctrl-C; what is sorted stays.
    """
    names = numbered_class_folders([*network.classes, *([NONE_OF_THESE] if reject_below is not None else [])])
    if link:
        check_links(sources)
    place: Place = _link if link else _copy
    for name in names.values():
        remove_leftovers(folder / name, COPY)
    folders, placed, done, broken = Counter[str](), 0, 0, list[Prediction]()
    rest = iter(sources)
    try:
        for batch in predict(network, sources, top=1, batch_size=batch_size, reject_below=reject_below):
            for source, prediction in zip(islice(rest, len(batch)), batch, strict=True):
                if prediction.label is None:
                    broken.append(prediction)
                    continue
                name = names[prediction.label]
                placed += place(source, folder / name)
                folders[name] += 1
            done += len(batch)
            if progress:
                progress(done, len(sources))
    except KeyboardInterrupt:
        raise Interrupted(
            f"{done:,} of {len(sources):,} images are sorted into {folder}. Continue with the same command"
        ) from None
    return SortSummary(
        out=folder,
        folders={name: folders[name] for name in names.values() if folders[name]},
        placed=placed,
        kept=folders.total() - placed,
        broken=tuple(broken),
    )


def _link(source: ImageSource, folder: Path) -> bool:
    assert isinstance(source, Path)
    return place_link(source, folder, source.name)


def _copy(source: ImageSource, folder: Path) -> bool:
    if isinstance(source, Path):
        return place_copy(source, folder, source.name)
    file = own_file(source)
    return place_copy(file.content, folder, file.name)
