"""Image files of any common kind as pixels: decoded whole, upright, and in the size the network asks for."""

import glob
import io
import logging
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from multiprocessing import parent_process
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.samples import ArchivedImage
from verydeep.errors import Damage, DataError, UnreadableError

_APPLE = {".heic", ".heif"}
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""What `image_files` takes for an image in a folder, in capitals too."""

PIXEL_LIMIT = 100_000_000
"""Pixels of the largest image that is decoded, unless the caller says otherwise."""

SPARE = 2
"""A JPEG is decoded at no less than so many times the size asked for: then its pixels differ by 3 of 255 at
most from those of decoding it whole (benchmarks/decode.py)."""


# Our own limit comes next. Once and for all, since threads must not change the filters at the same time.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def decode(
    source: Path | str | bytes | ArchivedImage, preprocess: Preprocess, *, pixel_limit: int = PIXEL_LIMIT
) -> UInt8[Tensor, "channels size size"]:
    """The pixels of an image, 0 to 255 in gray or RGB order, ready for `normalize`.

    The first frame is turned upright by its EXIF orientation, laid on white where it is transparent, brought
    to 8 bits, converted to the channels of ``preprocess``, resized (bilinear, antialiased) and cropped at
    its center. Nothing is inverted, stretched or equalized.

    Args:
        source: a file, what is in one, or an entry of a shard.
        preprocess: channels, resize and size.
        pixel_limit: images with more pixels are refused before they are decoded.

    Raises:
        DataError: names the file, and why it cannot be used; a truncated file cannot.
    """
    name = _name(source)
    least = SPARE * preprocess.short_side
    image = read_image(source, name=name, pixel_limit=pixel_limit, short_side=least)
    image = _shorten(_in_channels(image, preprocess.channels), preprocess.short_side, name, pixel_limit)
    left = round((image.width - preprocess.size) / 2)
    top = round((image.height - preprocess.size) / 2)
    return _pixels(image.crop((left, top, left + preprocess.size, top + preprocess.size)))


def decode_whole(
    source: Path | str | bytes | ArchivedImage,
    channels: int,
    short_sides: Sequence[int],
    *,
    pixel_limit: int = PIXEL_LIMIT,
) -> tuple[UInt8[Tensor, "channels height width"], ...]:
    """The image whole, once with each of ``short_sides``, otherwise as ``decode`` gives it; read once.

    Raises:
        DataError: names the file, and why it cannot be used.
    """
    name = _name(source)
    image = _in_channels(read_image(source, name=name, pixel_limit=pixel_limit), channels)
    return tuple(_pixels(_shorten(image, side, name, pixel_limit)) for side in short_sides)


def _name(source: Path | str | bytes | ArchivedImage) -> str:
    return f"image of {len(source):,} bytes" if isinstance(source, bytes) else str(source)


def _in_channels(image: Image.Image, channels: int) -> Image.Image:
    return image.convert("L" if channels == 1 else "RGB")


def _pixels(image: Image.Image) -> UInt8[Tensor, "channels height width"]:
    pixels = torch.from_numpy(np.array(image))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1).contiguous()


def read_image(
    source: Path | str | bytes | ArchivedImage,
    *,
    name: str | None = None,
    pixel_limit: int = PIXEL_LIMIT,
    short_side: int | None = None,
) -> Image.Image:
    """The first frame, whole, upright, opaque, and of 8 bits a channel; in its own size and mode.

    With ``short_side``, in px, a JPEG that is larger by far may come smaller, but never below it.

    Raises:
        UnreadableError: calls the image ``name`` (the source itself by default), and says why it cannot be
            used.
    """
    name = name or str(source)
    with open_image(source, name, pixel_limit) as opened:
        if short_side:
            _draft(opened, short_side)
        return finished(opened, name)


@contextmanager
def open_image(
    source: Path | str | bytes | ArchivedImage, name: str, pixel_limit: int = PIXEL_LIMIT
) -> Iterator[Image.Image]:
    """The image with its header read and nothing decoded; what goes wrong in the block is told in words.

    Raises:
        UnreadableError: calls the image ``name``, and says why it cannot be used.
    """
    try:
        source = source if isinstance(source, Path | str | bytes) else source.read()
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
            _check_pixels(opened.size, name, pixel_limit)
            yield opened
    except DataError:
        raise
    except FileNotFoundError as error:
        raise UnreadableError(f"{name} is not there", "not there") from error
    except UnidentifiedImageError as error:
        if _is_empty(source):
            raise UnreadableError(f"{name} is empty: 0 bytes", "empty") from error
        words = f"{name} is no image of a known kind, or is cut off at its beginning"
        raise UnreadableError(words, "no image") from error
    except Exception as error:  # a broken file can make Pillow's parsers raise almost anything
        kind: Damage = "cut off" if "truncated" in str(error).lower() else "broken"
        raise UnreadableError(f"{name} cannot be decoded: {error or type(error).__name__}", kind) from error


def _is_empty(source: Path | str | bytes | ArchivedImage) -> bool:
    return not source if isinstance(source, bytes) else isinstance(source, Path) and not source.stat().st_size


def finished(opened: Image.Image, name: str) -> Image.Image:
    """``opened`` decoded, upright, opaque, and of 8 bits a channel.

    Raises:
        UnreadableError: where its white is not known.
    """
    opened.load()
    return _to_8_bits(ImageOps.exif_transpose(opened), opened.format, name)


def _draft(image: Image.Image, short_side: int) -> None:
    """Have a JPEG's blocks of 8 x 8 px decoded as 4 x 4, 2 x 2 or 1 px: most of the time is saved.

    Only where they divide both sides, as those of cameras: else the last block would shift all pixels.
    """
    width, height = image.size
    for part in (8, 4, 2):
        if not (width % part or height % part) and min(width, height) // part >= short_side:
            image.draft(None, (width // part, height // part))  # does nothing to other formats
            return


def _check_pixels(size: tuple[int, int], name: str, pixel_limit: int) -> None:
    width, height = size
    if width * height > pixel_limit:
        raise UnreadableError(
            f"{name} is {width} x {height} px, over the limit of {pixel_limit:,}. Make it smaller first.",
            "too large",
        )


def _to_8_bits(image: Image.Image, file_format: str | None, name: str) -> Image.Image:
    """``image`` in 8 bits a channel, laid on white where it is transparent."""
    if image.mode.startswith("I;16") or (image.mode == "I" and file_format in ("PNG", "PPM")):
        values = np.asarray(image).astype(np.float32)
        return Image.fromarray((values / 257).round().astype(np.uint8))  # 65535 / 257 = 255
    if image.mode in ("I", "F"):
        raise UnreadableError(
            f"{name} has pixels of 32 bits, whose white is not known. Save it with 8 or 16 bits.", "32 bits"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        _say_once(image, name)
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image


_transparent = count()
_log = logging.getLogger(__name__)


def _say_once(image: Image.Image, name: str) -> None:
    """The first image that is transparent anywhere is named; processes that help say nothing."""
    is_transparent = np.asarray(image.getchannel("A")).min() < 255
    if is_transparent and parent_process() is None and next(_transparent) == 0:
        _log.warning("%s is transparent in parts: white is laid below, here and in all such images", name)


def _shorten(image: Image.Image, short_side: int, name: str, pixel_limit: int) -> Image.Image:
    """``image`` with its short side resized to ``short_side``; sides rounded as in torchvision."""
    short = min(image.size)
    width, height = (int(short_side * side / short) for side in image.size)
    if width * height > pixel_limit:
        raise DataError(
            f"{name} is {image.width} x {image.height} px, so narrow that it would be {width} x {height} px "
            f"once its short side is {short_side}. Crop it first."
        )
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return image


def short_side(source: Path | ArchivedImage) -> int | None:
    """The shorter side of an image in px, by its header alone; None where that cannot be read."""
    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source.read())) as image:
            return min(image.size)
    except Exception:  # a broken file can make Pillow's parsers raise almost anything; decoding says why
        return None


def image_files(paths: Iterable[str | Path]) -> list[Path]:
    """The image files that ``paths`` name, each once, in order: files, folders with all below, and globs.

    A file that is named itself is taken whatever its suffix is; in folders and globs only image suffixes
    are, and hidden files are not.

    Raises:
        DataError: where a path is not there, or a folder or glob has no image.
    """
    return list(dict.fromkeys(file for path in paths for file in _files_of(Path(path).expanduser())))


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir() and not glob.has_magic(str(path)):
        raise DataError(f"{path} is not there; give files, folders, or globs such as 'photos/*.jpg'")
    pattern = str(Path(glob.escape(str(path))) / "**" / "*") if path.is_dir() else str(path)
    images = list(filter(_is_visible_image, globbed(pattern)))
    if not images:
        looked_for = ", ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(f"{path} has no images; looked for {looked_for}{no_images_but(path)}")
    return images


def globbed(pattern: str) -> list[Path]:
    """What ``pattern`` finds, in order; ``**`` is any number of folders."""
    # Not `Path.glob`, which takes no absolute pattern.
    return sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207


def no_images_but(folder: Path) -> str:
    """What a folder without images has instead, for an error; nothing where it has nothing."""
    files = (each for each in folder.rglob("[!.]*.*") if each.is_file())
    suffixes = Counter(each.suffix.lower() for each in files)
    if not suffixes or suffixes.keys() & IMAGE_SUFFIXES:  # images there are, only not where they should be
        return ""
    found = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common(3))
    advice = "Save HEIC photos as JPEG first" if suffixes.keys() & _APPLE else "Save images as one of these"
    return f". There are {found}. {advice}"


def _is_visible_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
