"""A contact sheet: a query image and the images most similar to it, as one PNG or one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from verydeep.architecture.preprocess import Preprocess
from verydeep.atomic_write import atomic_write
from verydeep.data.decode import decode
from verydeep.embed.similar_images import SimilarImages
from verydeep.errors import DataError, UnreadableError
from verydeep.image_sources.image_source import ImageSource
from verydeep.pictures.drawing import BLUE, DIM, INK, PAPER, draw_text
from verydeep.pictures.font import font
from verydeep.report.pictures import data_uri
from verydeep.templates.environment import environment

SIDE = 192
"""Of each image, in px."""
MAX_COLUMNS = 6
_GAP, _MARGIN, _CAPTION, _LINE_HEIGHT = 16, 32, 50, 20

_Pixels = UInt8[np.ndarray, "channels side side"]


@dataclass(frozen=True)
class _SheetImage:
    name: str
    folder: str
    """Its folder, or its shard."""
    similarity: str
    pixels: _Pixels | None
    """None for an image that can no longer be read."""

    @property
    def uri(self) -> str | None:
        return None if self.pixels is None else data_uri(self.pixels)


def check_contact_sheet_path(path: Path) -> None:
    """Reject a path that no contact sheet can be written to, before anything is computed.

    Raises:
        DataError: if the suffix is neither .png nor .html.
    """
    if path.suffix not in (".png", ".html"):
        raise DataError(f"{path} is neither .png nor .html; a contact sheet needs one of these")


def write_contact_sheet(result: SimilarImages, path: Path) -> None:
    """The contact sheet of ``result`` as a picture or a page at ``path``.

    A neighbor that can no longer be read, as stored vectors may have, is an empty place with its name.

    Raises:
        DataError: if the suffix is neither .png nor .html, or the query can no longer be read.
    """
    check_contact_sheet_path(path)
    query = _sheet_image(result.image, "", _pixels(result.image))
    neighbors = [
        _sheet_image(source, f"{neighbor.similarity:.3f}", _pixels_if_readable(source))
        for neighbor, source in zip(result.neighbors, result.sources, strict=True)
    ]
    with atomic_write(path) as temporary:
        if path.suffix == ".png":
            _draw(result.method, query, neighbors).save(temporary, "png", optimize=True)
        else:
            page = (
                environment()
                .get_template("contact_sheet.html.j2")
                .render(method=result.method, query=query, neighbors=neighbors)
            )
            temporary.write_text(page, encoding="utf-8", errors="backslashreplace")  # for file names


def _pixels_if_readable(source: ImageSource) -> _Pixels | None:
    try:
        return _pixels(source)
    except UnreadableError:
        return None


def _pixels(source: ImageSource) -> _Pixels:
    """The center crop of the image, about as it is preprocessed for a network."""
    pixels: _Pixels = decode(source, Preprocess(size=SIDE, mean=(0, 0, 0), std=(1, 1, 1))).numpy()
    return pixels


def _sheet_image(source: ImageSource, similarity: str, pixels: _Pixels | None) -> _SheetImage:
    location = source.absolute() if isinstance(source, Path) else PurePath(str(source))
    return _SheetImage(location.name, location.parent.name, similarity, pixels)


def _draw(method: str, query: _SheetImage, neighbors: Sequence[_SheetImage]) -> Image.Image:
    columns = max(3, min(MAX_COLUMNS, len(neighbors)))
    rows = -(-len(neighbors) // columns)
    width = 2 * _MARGIN + columns * (SIDE + _GAP) - _GAP
    top = _MARGIN + SIDE + _MARGIN
    height = top + rows * (SIDE + _CAPTION + _GAP) + _MARGIN - _GAP
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    _paste(canvas, query, _MARGIN, _MARGIN)
    _draw_header(draw, method, query, width)
    for index, neighbor in enumerate(neighbors):
        left = _MARGIN + index % columns * (SIDE + _GAP)
        above = top + index // columns * (SIDE + _CAPTION + _GAP)
        _paste(canvas, neighbor, left, above)
        _draw_caption(draw, neighbor, left, above + SIDE + 6)
    return canvas


def _draw_header(draw: ImageDraw.ImageDraw, method: str, query: _SheetImage, width: int) -> None:
    """Beside the query image: its name and folder, and the method."""
    left, text_width = _MARGIN + SIDE + 24, float(width - 2 * _MARGIN - SIDE - 24)
    lines = (
        ("Most similar images to", 16, BLUE),
        (query.name, 26, INK),
        (f"in {query.folder}", 16, INK),
        (method, 16, DIM),
    )
    top = _MARGIN + 4
    for text, size, color in lines:
        draw_text(draw, (left, top), text, color, size, text_width)
        top += round(1.5 * size)


def _draw_caption(draw: ImageDraw.ImageDraw, image: _SheetImage, left: int, top: int) -> None:
    draw.text((left, top), image.similarity, BLUE, font(16))
    offset = 8 + round(draw.textlength(image.similarity, font(16)))
    draw_text(draw, (left + offset, top), image.folder, INK, 16, float(SIDE - offset))
    draw_text(draw, (left, top + _LINE_HEIGHT), image.name, DIM, 13, float(SIDE))


def _paste(canvas: Image.Image, image: _SheetImage, left: int, top: int) -> None:
    if image.pixels is not None:
        canvas.paste(Image.fromarray(np.ascontiguousarray(image.pixels.transpose(1, 2, 0))), (left, top))
