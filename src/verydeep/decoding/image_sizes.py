"""Width and height of image files, from their headers: a cheap look before anything is decoded."""

from collections.abc import Sequence
from statistics import median

from verydeep.decoding.decode import open_image
from verydeep.errors import DataError, UnreadableError
from verydeep.foreign_text import one_line
from verydeep.image_sources.image_source import ImageSource
from verydeep.number_format import percent

SIZES_READ = 500
"""Of how many images the sides are read."""
FAR_FROM_SQUARE = 4 / 3
"""Long side by short side: beyond it, a center crop cuts off over a quarter of the image."""
FEW = 0.1
"""The share of images that may be far from square before it matters how they become square."""
Size = tuple[int, int]
"""Width and height in px, as stored: a photo that EXIF rotates has them the other way round."""


def image_size(source: ImageSource) -> Size | None:
    """Of one image; None if its header cannot be read."""
    try:
        with open_image(source, one_line(str(source))) as image:
            return image.size
    except UnreadableError:  # decoding reports it
        return None


def image_sizes(sources: Sequence[ImageSource]) -> tuple[Size, ...]:
    """Of at most 500 of ``sources``, evenly spaced, without those whose header cannot be read.

    Raises:
        DataError: where none of them can be read.
    """
    step = -(-len(sources) // SIZES_READ)
    sizes = tuple(size for source in sources[::step] if (size := image_size(source)))
    if not sizes:
        raise DataError(f"none of {len(sources[::step])} images can be read, such as {sources[0]}")
    return sizes


def median_short_side(sizes: Sequence[Size]) -> int:
    """The median of the images' short sides in px."""
    return int(median(map(min, sizes)))


def are_about_square(sizes: Sequence[Size]) -> bool:
    """Whether few images are far from square."""
    return _far_from_square(sizes) <= FEW


def shapes_text(sizes: Sequence[Size]) -> str:
    """How many images are far from square, in words."""
    return f"{percent(_far_from_square(sizes), 0)} have a long side of over 4/3 of the short side"


def _far_from_square(sizes: Sequence[Size]) -> float:
    return sum(max(size) > FAR_FROM_SQUARE * min(size) for size in sizes) / len(sizes)
