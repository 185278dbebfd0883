"""Image files of any common kind as pixels: decoded whole, upright, and in the size the network asks for."""

import glob
import io
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from verydeep.data.samples import Entry
from verydeep.errors import DataError
from verydeep.spec.preprocess import Preprocess

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""What `image_files` takes for an image in a folder, in capitals too."""

PIXEL_LIMIT = 100_000_000
"""Pixels of the largest image that is decoded, unless the caller says otherwise."""


def decode(
    source: Path | str | bytes | Entry, preprocess: Preprocess, *, pixel_limit: int = PIXEL_LIMIT
) -> UInt8[Tensor, "channels size size"]:
    """The pixels of an image, 0 to 255 in grey or RGB order, ready for `normalise`.

    The first frame is turned upright by its EXIF orientation, laid on white where it is transparent, brought
    to 8 bits, converted to the channels of ``preprocess``, resized (bilinear, antialiased) and cropped at
    its centre. Nothing is inverted, stretched or equalised.

    Args:
        source: a file, what is in one, or an entry of a shard.
        preprocess: channels, resize and size.
        pixel_limit: images with more pixels are refused before they are decoded.

    Raises:
        DataError: names the file, and why it cannot be used; a truncated file cannot.
    """
    name = f"image of {len(source):,} bytes" if isinstance(source, bytes) else str(source)
    image = read_image(source, name=name, pixel_limit=pixel_limit)
    image = _resize(image.convert("L" if preprocess.channels == 1 else "RGB"), preprocess, name, pixel_limit)
    pixels = torch.from_numpy(np.array(image))
    return pixels[None] if preprocess.channels == 1 else pixels.permute(2, 0, 1).contiguous()


def read_image(
    source: Path | str | bytes | Entry, *, name: str | None = None, pixel_limit: int = PIXEL_LIMIT
) -> Image.Image:
    """The first frame, whole, upright, opaque, and of 8 bits a channel; in its own size and mode.

    Raises:
        DataError: calls the image ``name`` (the source itself by default), and says why it cannot be used.
    """
    name = name or str(source)
    try:
        source = source if isinstance(source, Path | str | bytes) else source.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit comes next
            opened = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
        with opened:
            _check_pixels(opened.size, name, pixel_limit)
            opened.load()
            return _to_8_bits(ImageOps.exif_transpose(opened), opened.format, name)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{name} is not there") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is no image of a known kind, or is cut off at its beginning") from error
    except Exception as error:  # a broken file can make Pillow's parsers raise almost anything
        raise DataError(f"{name} cannot be decoded: {error or type(error).__name__}") from error


def _check_pixels(size: tuple[int, int], name: str, pixel_limit: int) -> None:
    width, height = size
    if width * height > pixel_limit:
        raise DataError(
            f"{name} is {width} x {height} px, over the limit of {pixel_limit:,}. Make it smaller first."
        )


def _to_8_bits(image: Image.Image, file_format: str | None, name: str) -> Image.Image:
    """``image`` in 8 bits a channel, laid on white where it is transparent."""
    if image.mode.startswith("I;16") or (image.mode == "I" and file_format in ("PNG", "PPM")):
        values = np.asarray(image).astype(np.float32)
        return Image.fromarray((values / 257).round().astype(np.uint8))  # 65535 / 257 = 255
    if image.mode in ("I", "F"):
        raise DataError(f"{name} has pixels of 32 bits, whose white is not known. Save it with 8 or 16 bits.")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image


def _resize(image: Image.Image, preprocess: Preprocess, name: str, pixel_limit: int) -> Image.Image:
    """The centre of ``image`` once its short side is resized; sides and corner rounded as in torchvision."""
    short = min(image.size)
    width, height = (int(preprocess.short_side * side / short) for side in image.size)
    if width * height > pixel_limit:
        raise DataError(
            f"{name} is {image.width} x {image.height} px, so narrow that it would be {width} x {height} px "
            f"once its short side is {preprocess.short_side}. Crop it first."
        )
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - preprocess.size) / 2), round((height - preprocess.size) / 2)
    return image.crop((left, top, left + preprocess.size, top + preprocess.size))


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
    # Not `Path.glob`, which takes no absolute pattern.
    images = sorted(filter(_is_visible_image, map(Path, glob.glob(pattern, recursive=True))))  # noqa: PTH207
    if not images:
        raise DataError(f"{path} has no images; looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
    return images


def _is_visible_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
