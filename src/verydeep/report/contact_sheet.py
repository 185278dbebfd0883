"""A contact sheet: an image and those most like it, as one PNG or one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from verydeep.architecture.preprocess import Preprocess
from verydeep.atomic_write import atomic_write
from verydeep.data.decode import decode
from verydeep.embed.neighbors import Neighbor
from verydeep.errors import DataError
from verydeep.pictures.drawing import BLUE, DIM, INK, PAPER, cut, font
from verydeep.report.pictures import data_uri
from verydeep.templates.environment import environment

SIDE = 192
"""Of a picture on the sheet, in px."""
COLUMNS = 6
_GAP, _MARGIN, _CAPTION, _LINE = 16, 32, 50, 20


@dataclass(frozen=True)
class ContactSheet:
    """What is shown: the image that was asked about, its neighbors, and how they were found."""

    image: Path
    neighbors: tuple[Neighbor, ...]
    method: str
    """In words: network, layer, measure."""


@dataclass(frozen=True)
class _Picture:
    name: str
    folder: str
    note: str
    pixels: UInt8[np.ndarray, "channels side side"]

    @property
    def uri(self) -> str:
        return data_uri(self.pixels)


def check_sheet(path: Path) -> None:
    """Refuse what no sheet can be written to, before anything is computed.

    Raises:
        DataError: where the suffix is neither .png nor .html.
    """
    if path.suffix not in (".png", ".html"):
        raise DataError(f"{path} is neither .png nor .html; name such a file for the contact sheet")


def write_sheet(sheet: ContactSheet, path: Path) -> None:
    """``sheet`` as a picture or a page at ``path``.

    Raises:
        DataError: where the suffix is neither .png nor .html, or an image can no longer be read.
    """
    check_sheet(path)
    image = _picture(sheet.image, "")
    others = [_picture(one.file, f"{one.similarity:.3f}") for one in sheet.neighbors]
    with atomic_write(path) as temporary:
        if path.suffix == ".png":
            _draw(sheet, image, others).save(temporary, "png", optimize=True)
        else:
            page = (
                environment()
                .get_template("contact_sheet.html.j2")
                .render(sheet=sheet, image=image, others=others)
            )
            temporary.write_text(page, encoding="utf-8")


def _picture(file: Path, note: str) -> _Picture:
    """The center of the image, square: about what the network saw."""
    pixels = decode(file, Preprocess(size=SIDE, mean=(0, 0, 0), std=(1, 1, 1))).numpy()
    return _Picture(file.name, file.absolute().parent.name, note, pixels)


def _draw(sheet: ContactSheet, image: _Picture, others: Sequence[_Picture]) -> Image.Image:
    columns = max(3, min(COLUMNS, len(others)))
    rows = -(-len(others) // columns)
    width = 2 * _MARGIN + columns * (SIDE + _GAP) - _GAP
    top = _MARGIN + SIDE + _MARGIN
    paper = Image.new("RGB", (width, top + rows * (SIDE + _CAPTION + _GAP) + _MARGIN - _GAP), PAPER)
    pen = ImageDraw.Draw(paper)
    _paste(paper, image, _MARGIN, _MARGIN)
    _words(pen, sheet, image, width)
    for place, other in enumerate(others):
        left = _MARGIN + place % columns * (SIDE + _GAP)
        above = top + place // columns * (SIDE + _CAPTION + _GAP)
        _paste(paper, other, left, above)
        pen.text((left, above + SIDE + 6), other.note, BLUE, font(16))
        note = 8 + pen.textlength(other.note, font(16))
        pen.text((left + note, above + SIDE + 6), cut(other.folder, SIDE - note, 16), INK, font(16))
        pen.text((left, above + SIDE + 6 + _LINE), cut(other.name, float(SIDE), 13), DIM, font(13))
    return paper


def _words(pen: ImageDraw.ImageDraw, sheet: ContactSheet, image: _Picture, width: int) -> None:
    """Beside the image: what it is, and how the others were found."""
    left, room = _MARGIN + SIDE + 24, float(width - 2 * _MARGIN - SIDE - 24)
    lines = (
        ("The images most like", 16, BLUE),
        (image.name, 26, INK),
        (f"in {image.folder}", 16, INK),
        (sheet.method, 16, DIM),
    )
    above = _MARGIN + 4
    for text, size, color in lines:
        pen.text((left, above), cut(text, room, size), color, font(size))
        above += round(1.5 * size)


def _paste(paper: Image.Image, picture: _Picture, left: int, above: int) -> None:
    paper.paste(Image.fromarray(np.ascontiguousarray(picture.pixels.transpose(1, 2, 0))), (left, above))
