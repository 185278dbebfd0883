"""Heat maps of image files, written to a folder: one picture per image, and one page with many of them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jaxtyping import UInt8

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.progress import OnProgress, count_images
from verydeep.decoding.stream import stream_pixels
from verydeep.explain.heat_map import HeatMap, Method
from verydeep.file_name import same_name
from verydeep.foreign_text import one_line
from verydeep.image_sources.image_source import ImageSource, UnreadableImage
from verydeep.pictures.heat_map_image import class_text, method_text, write_heat_map_image
from verydeep.report.heat_map_page import HeatMapEntry, heat_map_entry, write_heat_map_page

HeatMaps = Callable[[UInt8[np.ndarray, "count channels size size"], Sequence[str] | None], Sequence[HeatMap]]
"""Gives the heat maps of decoded images: of the named classes, or of the predicted ones."""

MAX_NAME = 100
"""Bytes of an image's name in the name of its picture; file names have a limit."""


MAX_SHOWN = 500
"""Images on the page, which holds their pixels; each has a picture of its own."""


@dataclass(frozen=True, kw_only=True)
class ExplainedImage:
    """An image whose heat map was written."""

    file: str
    """Its path, or its location in a shard."""
    picture: Path
    class_text: str
    """The explained class with its probability."""
    method_text: str
    """The method with its layer."""
    heat_map: dict[str, Any]
    """The JSON values of the heat map."""

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {"file": self.file, "picture": str(self.picture), **self.heat_map}


@dataclass(frozen=True)
class ExplainedImages:
    """The files that were written, and the images that cannot be read."""

    page: Path | None
    """None if no image can be read."""
    images: tuple[ExplainedImage, ...]
    broken: tuple[UnreadableImage, ...]

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "page": None if self.page is None else str(self.page),
            "images": [image.values for image in self.images],
            "broken": [image.values for image in self.broken],
        }


def explain_images(
    heat_maps: HeatMaps,
    sources: Sequence[ImageSource],
    folder: Path,
    *,
    network: str,
    preprocess: Preprocess,
    class_name: str | None = None,
    progress: OnProgress | None = None,
) -> ExplainedImages:
    """Write the heat map of each of ``sources`` to ``folder``, and ``index.html`` with all, or the first 500.

    Args:
        heat_maps: what the network gives.
        sources: the images.
        folder: where pictures and the page are written.
        network: the name of its architecture.
        preprocess: the preprocessing of the network.
        class_name: the class to explain; the predicted class of each image by default.
        progress: called after each image.

    Raises:
        ArchitectureError: as ``heat_maps``.
        DataError: as ``heat_maps``.
    """
    names = _PictureNames(folder)
    images: list[ExplainedImage] = []
    entries: list[HeatMapEntry] = []
    broken: list[UnreadableImage] = []
    batches = stream_pixels(sources, preprocess, 1)  # most methods make a batch of each image
    for batch in count_images(batches, len(sources), progress):
        broken += batch.broken
        if not len(batch.pixels):
            continue
        (heat_map,) = heat_maps(batch.pixels, None if class_name is None else [class_name])
        images.append(_write(heat_map, sources[int(batch.indices[0])], names))
        if len(entries) < MAX_SHOWN:
            entries.append(heat_map_entry(heat_map, PurePath(images[-1].file).name))
    page = folder / "index.html" if images else None
    if page:
        write_heat_map_page(entries, f"{network} · {images[0].method_text}", page, len(images))
    return ExplainedImages(page, tuple(images), tuple(broken))


def _write(heat_map: HeatMap, source: ImageSource, names: "_PictureNames") -> ExplainedImage:
    picture = names.next(source, heat_map.method)  # a bundle may use another than was asked for
    write_heat_map_image(heat_map, PurePath(str(source)).name, picture)
    return ExplainedImage(
        file=str(source),
        picture=picture,
        class_text=class_text(heat_map),
        method_text=method_text(heat_map),
        heat_map=heat_map.values,
    )


class _PictureNames:
    """Unique names of pictures: images in different folders or shards may have the same name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.used: set[str] = set()
        self.last: dict[str, int] = {}
        """The last number of each name that was there before."""

    def next(self, source: ImageSource, method: Method) -> Path:
        """The path of the picture of ``source`` by ``method``."""
        stem = name = f"{_stem(source)}-{method}"
        number = self.last.get(same_name(stem), 1)
        while same_name(name) in self.used:
            number += 1
            name = f"{stem}-{number}"
        self.last[same_name(stem)] = number
        self.used.add(same_name(name))
        return self.folder / f"{name}.png"


def _stem(source: ImageSource) -> str:
    """The image's own name; for an entry of a shard or a data set, after the name of that."""
    location = PurePath(str(source))
    stem = location.stem if isinstance(source, Path) else f"{location.parent.stem}-{location.stem}"
    named = re.sub(r'[<>:"\\|?*\x00-\x1f]', "_", one_line(stem))  # not valid in file names everywhere
    return named.encode()[:MAX_NAME].decode(errors="ignore")
