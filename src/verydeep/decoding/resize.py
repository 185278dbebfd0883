"""Resizes decoded images (bilinear, antialiased): to the network's input, or whole to a short side."""

from PIL import Image

from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import UnreadableError


def fit_to_input(image: Image.Image, preprocess: Preprocess, name: str, pixel_limit: int) -> Image.Image:
    """``image``, in the channels of ``preprocess``, cropped, padded or squashed to its size.

    Raises:
        UnreadableError: if the image called ``name`` is too narrow to be cropped (``resize_short_side``).
    """
    size = preprocess.size
    match preprocess.fit:
        case "crop":
            image = resize_short_side(image, preprocess.short_side, name, pixel_limit)
            if image.size == (size, size):
                return image
            left, top = round((image.width - size) / 2), round((image.height - size) / 2)
            return image.crop((left, top, left + size, top + size))
        case "pad":
            return _pad(_resized(image, preprocess.inner_size(*image.size)), preprocess)
        case "squash":
            return _resized(image, (size, size))


def _pad(image: Image.Image, preprocess: Preprocess) -> Image.Image:
    size, color = preprocess.size, preprocess.padding
    padded = Image.new(image.mode, (size, size), color if preprocess.channels > 1 else color[0])
    padded.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    return padded


def resize_short_side(image: Image.Image, short_side: int, name: str, pixel_limit: int) -> Image.Image:
    """``image`` with its short side resized to ``short_side``; the other is rounded as in torchvision.

    Raises:
        UnreadableError: if the image called ``name`` would have more pixels than ``pixel_limit``.
    """
    short = min(image.size)
    width, height = (int(short_side * side / short) for side in image.size)
    if width * height > pixel_limit:
        raise UnreadableError(
            f"{name} is {image.width} x {image.height} px, too narrow: with a short side of {short_side} px "
            f"it would be {width} x {height} px. Crop it first.",
            "too narrow",
        )
    return _resized(image, (width, height))


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)
