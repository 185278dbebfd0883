"""An image inside of another file, as a file of its own."""

import io
from pathlib import Path, PurePath
from typing import NamedTuple

from PIL import Image

from verydeep.file_name import file_name
from verydeep.image_sources.image_source import ArchivedImage
from verydeep.image_sources.suffixes import IMAGE_SUFFIXES
from verydeep.packs.packed_pixels import PackedImage

_SUFFIXES = {"JPEG": ".jpg", "JPEG2000": ".jp2", "TIFF": ".tif"}
"""Of formats whose usual suffix is not their name in Pillow."""


class OwnFile(NamedTuple):
    """A file that is not written yet."""

    name: str
    content: bytes


def own_file(image: ArchivedImage) -> OwnFile:
    """The content of ``image`` with its name, which has a suffix of its format.

    The pixels of a pack become a PNG, whatever file they came from.

    Raises:
        UnreadableError: where the image is damaged or empty.
    """
    name = file_name(PurePath(str(image)).name, "image")
    has_suffix = Path(name).suffix.lower() in IMAGE_SUFFIXES
    if isinstance(image, PackedImage):
        return OwnFile(f"{Path(name).stem if has_suffix else name}.png", _png(image))
    content = image.read()
    return OwnFile(name if has_suffix else name + _suffix_of(content), content)


def _png(image: PackedImage) -> bytes:
    pixels, file = image.pixels(), io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def _suffix_of(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as image:  # it was decoded before
        return _SUFFIXES.get(str(image.format), f".{image.format}".lower())
