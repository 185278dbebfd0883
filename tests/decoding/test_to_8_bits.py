"""Bit depth, sign, photometric interpretation, transparency and color space, as the tags of a file state."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.decode import decode, decode_whole
from verydeep.data.stream import decode_all, stream_whole
from verydeep.decoding.decode import read_image
from verydeep.errors import UnreadableError
from verydeep.image_sources.samples import Samples

from .tiff import tiff

GRAY = Preprocess(size=8, channels=1, mean=(0.5,), std=(0.5,))
COLOR = Preprocess(size=8, mean=(0.5,) * 3, std=(0.5,) * 3)
FROM_0_TO_1 = np.tile(np.linspace(0, 1, 8), (8, 1))
RAMP = [0, 36, 73, 109, 146, 182, 219, 255]
FLAT = Image.new("RGB", (8, 8), (200, 100, 50))


def ramp(black, white, kind="u2"):
    """Eight columns from ``black`` to ``white``."""
    return (black + FROM_0_TO_1 * (white - black)).round().astype(kind)


def shades(content, preprocess=GRAY):
    return decode(content, preprocess)[0, 0].tolist()


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(values, bits, transparent):
    """A PNG with a transparent value, gray or RGB, by its specification (W3C, third edition, 11.3.1)."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    height, width, *channels = values.shape
    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in values]
    else:
        digits = [[f"{value:0{bits}b}" for value in row.ravel()] for row in values]
        rows = [int("".join(row), 2).to_bytes(width * bits // 8, "big") for row in digits]
    header = struct.pack(">IIBBBBB", width, height, bits, 2 if channels else 0, 0, 0, 0)
    trns = np.atleast_1d(transparent).astype(">u2").tobytes()
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = (b"IHDR", header), (b"tRNS", trns), (b"IDAT", pixels), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


@pytest.mark.parametrize(
    "content",
    [
        tiff(ramp(0, 4_095), bits=12),
        tiff(ramp(0, 4_095), tags={281: ("H", 4_095)}),  # MaxSampleValue: 12 of 16 bits are used
        tiff(ramp(0, 65_535), tags={281: ("H", 50_000)}),  # the maximum of this image alone
        tiff(ramp(0, 65_535), order=">"),
        tiff(ramp(-32_768, 32_767, "i2"), sample_format=2),
        tiff(ramp(-32_768, 32_767, "i2"), sample_format=2, order=">"),
        tiff(ramp(-128, 127, "i1"), sample_format=2),
        tiff(ramp(-1_000, 3_000, "i2"), sample_format=2, tags={340: ("h", -1_000), 341: ("h", 3_000)}),
        tiff(FROM_0_TO_1.astype("f4"), sample_format=3, tags={340: ("f", 0), 341: ("f", 1)}),
        b"P5 8 8 4095 " + ramp(0, 4_095, ">u2").tobytes(),
        saved(Image.fromarray(ramp(0, 65_535)), "TIFF", compression="tiff_lzw"),
        saved(Image.fromarray(ramp(0, 65_535)), "JPEG2000"),
    ],
    ids=[
        "12",
        "12 in 16",
        "statistic",
        "16",
        "i2",
        "i2 big",
        "i1",
        "i2 range",
        "f4 range",
        "ppm",
        "lzw",
        "j2k",
    ],
)
def test_black_is_0_and_white_is_255_with_any_number_of_bits(content):
    assert shades(content) == RAMP
    assert shades(content, COLOR) == RAMP


@pytest.mark.parametrize(
    "content",
    [
        tiff(ramp(0, 255, "u1"), photometric=0),
        tiff(ramp(0, 65_535), photometric=0),
        tiff(FROM_0_TO_1.astype("f4"), photometric=0, sample_format=3, tags={340: ("f", 0), 341: ("f", 1)}),
    ],
    ids=["8", "16", "float"],
)
def test_white_is_zero_is_inverted(content):
    assert shades(content) == [255 - shade for shade in RAMP]


def test_float_pixels_outside_the_stated_range_are_clipped():
    values = FROM_0_TO_1.astype("f4") * 2 - 0.5
    values[0, 3] = np.nan
    got = shades(tiff(values, sample_format=3, tags={340: ("f", 0), 341: ("f", 1)}))
    assert got[0] == 0 and got[3] == 0 and got[-1] == 255


def test_the_transparent_value_of_16_bit_gray_is_white():
    assert shades(png(ramp(0, 65_535), 16, 0)) == [255, *RAMP[1:]]


@pytest.mark.parametrize(("bits", "scale"), [(2, 85), (4, 17), (8, 1)])
def test_the_transparent_value_of_gray_with_few_bits_is_white(bits, scale):
    values = np.tile(np.arange(8) % 4, (8, 1))
    assert shades(png(values, bits, 1)) == [0, 255, 2 * scale, 3 * scale] * 2


def test_the_transparent_value_of_16_bit_color_is_white():
    values = np.full((8, 8, 3), (0x1234, 0x5678, 0x9ABC))
    values[:, 4:] = 0
    assert shades(png(values, 16, (0x1234, 0x5678, 0x9ABC)), COLOR) == [255] * 4 + [0] * 4


@pytest.mark.parametrize("preprocess", [GRAY, COLOR], ids=["gray", "color"])
@pytest.mark.parametrize("mode", ["RGB", "CMYK", "YCbCr", "LAB"])
def test_every_color_space_becomes_gray_and_color(mode, preprocess):
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = (
        ImageCms.profileToProfile(FLAT, *profiles, outputMode="LAB") if mode == "LAB" else FLAT.convert(mode)
    )
    expected = torch.tensor([200, 100, 50] if preprocess is COLOR else [124])
    pixels = decode(saved(image, "TIFF"), preprocess)[:, 0, 0].int()
    assert int((pixels - expected).abs().max()) <= 1


def test_gray_with_premultiplied_alpha_is_composited_on_white():
    values = np.full((8, 8, 2), (64, 128), np.uint8)
    assert set(shades(tiff(values, tags={338: ("H", 1)}))) == {191}  # 64 + 255 * (1 - 128 / 255)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (tiff(ramp(0, 4_095), bits=12, photometric=0), "kind of pixels that Pillow cannot read"),
        (tiff(np.full((8, 8, 5), 9, np.uint8)), "kind of pixels that Pillow cannot read"),
        (tiff(FROM_0_TO_1.astype("f4"), sample_format=3), "unknown value range"),
    ],
    ids=["12-bit WhiteIsZero", "5 channels", "float"],
)
def test_pixels_of_an_unknown_kind_are_one_broken_file(content, why):
    with pytest.raises(UnreadableError, match=why):
        decode(content, GRAY)


def mixed(tmp_path):
    """A good image, and one whose decoding ends in an error that no image library raises."""
    FLAT.save(tmp_path / "good.png")
    FLAT.save(tmp_path / "bad.png")
    names = ("good.png", "bad.png")
    return Samples(
        name="mixed", sources=tuple(tmp_path / name for name in names), names=names,
        labels=np.array([0, 0]), classes=("a",), parts=(None, None),
    )  # fmt: skip


@pytest.mark.parametrize("error", [ValueError("conversion not supported"), MemoryError(), KeyError("mode")])
def test_an_error_after_decoding_is_one_broken_file_of_the_batch(tmp_path, monkeypatch, error):
    samples, convert = mixed(tmp_path), Image.Image.resize

    def failing(image, size, *rest):
        if image.getpixel((0, 0)) == (1, 2, 3):
            raise error
        return convert(image, size, *rest)

    Image.new("RGB", (9, 9), (1, 2, 3)).save(tmp_path / "bad.png")
    monkeypatch.setattr(Image.Image, "resize", failing)
    images, broken = decode_all(samples, COLOR)
    assert len(images) == 1 and [each.source.name for each in broken] == ["bad.png"]
    assert "bad.png cannot be decoded" in broken[0].reason
    (batch,) = stream_whole(samples.sources, 3, [8], 2)
    assert batch.indices.tolist() == [0] and len(batch.broken) == 1


HEIC = b"\0\0\0\x1cftypheic" + b"\0" * 20


def test_heic_without_its_library_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "IMG_1.HEIC").write_bytes(HEIC)
    with pytest.raises(
        UnreadableError, match=r"IMG_1.HEIC is a HEIC photo: .*'verydeep\[heic\]' to read it, or save"
    ):
        decode(tmp_path / "IMG_1.HEIC", COLOR)


def test_heic_is_read_by_pillow_heif():
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(FLAT.resize((64, 48))).save(buffer, quality=90)
    image = read_image(buffer.getvalue())
    assert image.size == (64, 48)
    assert np.abs(np.subtract(image.getpixel((9, 9)), (200, 100, 50))).max() <= 3


def test_avif_is_read_by_pillow():
    (pixels,) = decode_whole(saved(FLAT, "AVIF"), 3, [8])
    assert int((pixels[:, 0, 0].int() - torch.tensor([200, 100, 50])).abs().max()) <= 3
