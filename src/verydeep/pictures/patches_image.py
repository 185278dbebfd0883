"""What channels look for, as pictures: their strongest patches, a row each, and the first filters."""

from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.atomic_write import atomic_write
from verydeep.data.decode import decode
from verydeep.explain.patches import LayerPatches, Patch
from verydeep.pictures.drawing import BLUE, DIM, INK, PAPER, cut, font
from verydeep.tables.format import TIMES

SIDE = 72
"""Of a patch and of a filter on the sheet, in px, about."""
_MARGIN, _GAP, _HEAD, _NAME = 24, 6, 64, 96
_OUTSIDE = 225
"""The gray of what a patch sees outside its image."""


def write_patches(
    found: LayerPatches, files: Sequence[Path], preprocess: Preprocess, network: str, path: Path
) -> None:
    """A row a channel, its strongest patches cut out of ``files``, as a PNG at ``path``.

    Raises:
        DataError: where a file can no longer be read.
    """
    most = max((len(channel.patches) for channel in found.channels), default=0)
    width = max(480, 2 * _MARGIN + _NAME + most * (SIDE + _GAP) - _GAP)
    height = _MARGIN + _HEAD + len(found.channels) * (SIDE + _GAP) + _MARGIN
    paper = _paper(width, height, f"What stirs {found.layer}",
                   f"{network} · values see {found.field} px · {found.images:,} images")  # fmt: skip
    pen = ImageDraw.Draw(paper)
    for row, channel in enumerate(found.channels):
        above = _MARGIN + _HEAD + row * (SIDE + _GAP)
        pen.text((_MARGIN, above + 12), f"channel {channel.number}", INK, font(14))
        pen.text((_MARGIN, above + 34), _up_to(channel.patches[0].activation), BLUE, font(14))
        for place, patch in enumerate(channel.patches):
            pixels = decode(files[patch.image], preprocess).numpy()
            tile = Image.fromarray(cut_out(pixels, patch)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            paper.paste(tile, (_MARGIN + _NAME + place * (SIDE + _GAP), above))
    _save(paper, path)


def _up_to(activation: float) -> str:
    return f"up to {activation:,.0f}" if activation >= 100 else f"up to {activation:.3g}"


def cut_out(
    pixels: UInt8[np.ndarray, "channels height width"], patch: Patch
) -> UInt8[np.ndarray, "side side 3"]:
    """What ``patch`` sees of its image; gray where it sees past the border."""
    top, left, bottom, right = patch.box
    seen = np.full((bottom - top, right - left, 3), _OUTSIDE, np.uint8)
    inside = pixels[:, max(0, top) : max(0, bottom), max(0, left) : max(0, right)].transpose(1, 2, 0)
    row, column = max(0, -top), max(0, -left)
    seen[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return seen


def write_filters(
    filters: Float32[Tensor, "filters channels kernel kernel"], network: str, path: Path
) -> None:
    """The filters in a square, pixel by pixel, as a PNG at ``path``."""
    count, _, kernel, _ = filters.shape
    columns, times = ceil(sqrt(count)), max(1, SIDE // kernel)
    step = kernel * times + _GAP
    rows = ceil(count / columns)
    width = max(360, 2 * _MARGIN + columns * step - _GAP)
    paper = _paper(width, _MARGIN + _HEAD + rows * step + _MARGIN, "The first filters",
                   f"{network} · {count} of {kernel} {TIMES} {kernel} · gray is no weight")  # fmt: skip
    for place, pixels in enumerate((255 * filters).round().byte().numpy()):
        tile = (
            np.broadcast_to(pixels, (3, kernel, kernel)).transpose(1, 2, 0).repeat(times, 0).repeat(times, 1)
        )
        row, column = divmod(place, columns)
        at = (_MARGIN + column * step, _MARGIN + _HEAD + row * step)
        paper.paste(Image.fromarray(np.ascontiguousarray(tile)), at)
    _save(paper, path)


def _paper(width: int, height: int, title: str, words: str) -> Image.Image:
    paper = Image.new("RGB", (width, height), PAPER)
    pen, room = ImageDraw.Draw(paper), float(width - 2 * _MARGIN)
    pen.text((_MARGIN, _MARGIN - 4), cut(title, room, 22), INK, font(22))
    pen.text((_MARGIN, _MARGIN + 28), cut(words, room, 14), DIM, font(14))
    return paper


def _save(paper: Image.Image, path: Path) -> None:
    with atomic_write(path) as temporary:
        paper.save(temporary, "png", optimize=True)
