"""Image files of the common formats: the right pixels, or an error with the file and the reason."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET, Preprocess
from verydeep.data.decode import decode
from verydeep.data.normalize import normalize
from verydeep.decoding.decode import read_image
from verydeep.errors import DataError

GRAY = Preprocess(size=8, channels=1, mean=(0.5,), std=(0.5,))
COLOR = Preprocess(size=8, mean=(0.5,) * 3, std=(0.5,) * 3)
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (8, 8, 3), dtype=np.uint8)
FLAT = Image.new("RGB", (8, 8), (200, 100, 50))


def file(image, kind="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def flat(*channels: int) -> torch.Tensor:
    return torch.tensor(channels, dtype=torch.uint8)[:, None, None].expand(-1, 8, 8)


def almost(pixels: torch.Tensor, expected: torch.Tensor, tolerance: int) -> bool:
    return int((pixels.int() - expected.int()).abs().max()) <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_files_have_their_exact_pixels(kind):
    pixels = decode(file(Image.fromarray(PIXELS), kind), COLOR)
    assert pixels.permute(1, 2, 0).tolist() == PIXELS.tolist()


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("WEBP", "RGB"), ("GIF", "RGB")]
)
def test_other_files_have_almost_their_pixels(kind, mode):
    assert almost(decode(file(FLAT.convert(mode), kind), COLOR), flat(200, 100, 50), tolerance=6)


def test_a_path_and_its_bytes_have_the_same_pixels(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(file(Image.fromarray(PIXELS)))
    assert decode(path, COLOR).equal(decode(str(path), COLOR))
    assert decode(path, COLOR).equal(decode(path.read_bytes(), COLOR))


def test_color_is_converted_to_luminance_and_gray_to_three_equal_channels():
    assert decode(file(FLAT), GRAY).equal(flat(124))  # ITU-R 601: 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    assert decode(file(Image.new("L", (8, 8), 77)), COLOR).equal(flat(77, 77, 77))


def test_black_and_white_stay_black_and_white():
    assert decode(file(Image.new("1", (8, 8), 1)), GRAY).equal(flat(255))
    assert decode(file(Image.new("1", (8, 8), 0)), GRAY).equal(flat(0))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_gray_is_scaled_and_not_clipped(kind):
    values = np.array([0, 128, 129, 257, 25_700, 65_407, 65_535, 30_000] * 8, dtype=np.uint16).reshape(8, 8)
    expected = [0, 0, 1, 1, 100, 255, 255, 117]
    assert decode(file(Image.fromarray(values), kind), GRAY)[0, 0].tolist() == expected
    assert decode(file(Image.fromarray(values), kind), COLOR)[2, 7].tolist() == expected


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bit_pixels_are_an_error(mode):
    with pytest.raises(DataError, match=r"image of \d+ bytes has .* with an unknown value range"):
        decode(file(Image.new(mode, (8, 8)), "TIFF"), GRAY)


@pytest.mark.parametrize(("alpha", "expected"), [(0, (255, 255, 255)), (255, (200, 100, 50))])
def test_transparent_pixels_are_white(alpha, expected):
    image = FLAT.copy()
    image.putalpha(alpha)
    assert decode(file(image), COLOR).equal(flat(*expected))


def png_of_16_bits(values: np.ndarray, color_type: int) -> bytes:
    """A PNG by its specification (W3C, third edition, sections 5 and 11.2): Pillow writes only gray ones."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + checksum

    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    image = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + image


def test_16_bit_color_keeps_its_upper_8_bits():
    values = RANDOM.integers(0, 65_536, (8, 8, 3), dtype=np.uint16)
    pixels = decode(png_of_16_bits(values, color_type=2), COLOR)
    assert pixels.permute(1, 2, 0).tolist() == (values >> 8).tolist()


def test_16_bit_alpha_is_composited_on_white():
    values = np.zeros((8, 8, 4), dtype=np.uint16)
    values[:4, :, 3] = 65_535
    pixels = decode(png_of_16_bits(values, color_type=6), GRAY)
    assert pixels[0, :, 0].tolist() == [0] * 4 + [255] * 4
    assert decode(png_of_16_bits(values[..., 2:], color_type=4), GRAY).equal(pixels)


def test_inverted_cmyk_of_adobe_is_inverted_back():
    """Adobe's JPEGs use 255 for no ink, and have an Adobe marker; other programs write no marker."""
    content = file(FLAT.convert("CMYK"), "JPEG", quality=95)
    marker = content.index(b"Adobe") - 4
    plain = content[:marker] + content[marker + 16 :]
    assert b"Adobe" not in plain
    for each in (content, plain):
        assert almost(decode(each, COLOR), flat(200, 100, 50), tolerance=3)


def test_a_cmyk_tiff_is_converted_to_color():
    assert almost(decode(file(FLAT.convert("CMYK"), "TIFF"), COLOR), flat(200, 100, 50), tolerance=1)


def test_a_photo_is_rotated_upright_and_keeps_its_aspect_ratio():
    image = Image.new("RGB", (64, 32), (10, 20, 30))
    image.paste((250, 250, 250), (0, 0, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90°: the stored left side is the top
    pixels = decode(file(image, "JPEG", exif=exif, quality=95), COLOR)
    assert almost(pixels[:, :3], torch.tensor(250), 8) and almost(pixels[2, 5:], torch.tensor(30), 8)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_of_several_frames_is_used(kind):
    frames = [Image.new("RGB", (8, 8), (shade, shade, shade)) for shade in (10, 200)]
    content = file(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.n_frames == 2
    assert decode(content, GRAY).equal(flat(10))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_one_pixel_fills_the_image(kind):
    content = file(Image.new("RGB", (1, 1), (200, 200, 200)), kind)
    assert almost(decode(content, COLOR), flat(200, 200, 200), tolerance=2)


@pytest.mark.slow
def test_an_image_at_the_pixel_limit_is_decoded():
    assert decode(file(Image.new("L", (10_000, 10_000), 9), "TIFF"), GRAY).equal(flat(9))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "decoded"),
    [((1600, 1200), (800, 600)), ((1201, 1603), (1201, 1603)), ((4104, 4104), (513, 513))],
)
def test_a_large_jpeg_is_decoded_at_a_smaller_size_with_almost_the_same_pixels(size, decoded):
    """Full decoding is that of the same pixels in a format without reduced sizes."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]] / 40
    shades = 127 + 60 * np.sin(rows) + 60 * np.cos(columns) + RANDOM.normal(0, 10, rows.shape)
    image = Image.fromarray(shades.clip(0, 255).astype(np.uint8)).convert("RGB")
    content = file(image, "JPEG", quality=90)
    with Image.open(io.BytesIO(content)) as opened:
        whole = file(opened.convert("RGB"), "BMP")
    preprocess = Preprocess(size=224, mean=(0.5,) * 3, std=(0.5,) * 3, resize=256)
    assert read_image(content, short_side=512).size == decoded
    assert almost(decode(content, preprocess), decode(whole, preprocess), tolerance=3)
    assert read_image(content).size == size


def test_half_transparent_black_is_gray():
    image = Image.merge("LA", [Image.new("L", (8, 8), 0), Image.new("L", (8, 8), 128)])
    assert decode(file(image), GRAY).equal(flat(127))


def test_a_transparent_palette_color_is_white():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert decode(file(image), COLOR).equal(flat(40, 50, 60))
    assert decode(file(image, transparency=1), COLOR).equal(flat(255, 255, 255))
    assert decode(file(image, "GIF", transparency=1), COLOR).equal(flat(255, 255, 255))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_rotated_upright(orientation):
    stored = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    image = Image.fromarray(PIXELS)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = file(image if stored is None else image.transpose(stored), exif=exif)
    assert decode(content, COLOR).permute(1, 2, 0).tolist() == PIXELS.tolist()


@pytest.mark.parametrize(("width", "height"), [(40, 20), (20, 40), (4, 4), (5, 9), (300, 8), (8, 8)])
@pytest.mark.parametrize("resize", [None, 10])
def test_any_size_is_resized_to_the_input_size(width, height, resize):
    preprocess = Preprocess(size=8, channels=1, mean=(0.5,), std=(0.5,), resize=resize)
    assert decode(file(Image.new("L", (width, height), 9)), preprocess).equal(flat(9))


def test_the_center_is_cropped():
    image = Image.new("L", (24, 8), 0)
    image.paste(255, (8, 0, 16, 8))
    assert decode(file(image), GRAY).equal(flat(255))


def wide(width=32, height=8, mode="RGB"):
    """White on black: a bar at the right edge, which no center crop sees."""
    image = Image.new(mode, (width, height), 0)
    image.paste("white", (width - width // 8, 0, width, height))
    return image


def fitted(fit, preprocess=COLOR):
    return preprocess.with_fit(fit)


@pytest.mark.parametrize("preprocess", [GRAY, COLOR])
@pytest.mark.parametrize("tall", [False, True])
def test_what_is_at_the_edge_of_a_wide_picture_is_kept_by_pad_and_squash_only(preprocess, tall):
    image = wide().transpose(Image.Transpose.ROTATE_90) if tall else wide()
    crop, pad, squash = (decode(file(image), fitted(fit, preprocess)) for fit in ("crop", "pad", "squash"))
    assert crop.shape == pad.shape == squash.shape == (preprocess.channels, 8, 8)
    assert crop.max() == 0
    assert pad.max() > 200 and squash.max() > 200


def test_a_padded_picture_is_in_the_middle_of_the_mean_color():
    preprocess = fitted("pad", Preprocess(size=8, mean=(1.0, 0.5, 0.0), std=(0.2,) * 3))
    pixels = decode(file(Image.new("RGB", (32, 16), (7, 8, 9))), preprocess)
    assert pixels[:, 2:6].equal(flat(7, 8, 9)[:, 2:6])
    for padding in (pixels[:, :2], pixels[:, 6:]):
        assert padding.equal(flat(255, 128, 0)[:, :2])


@pytest.mark.parametrize("preprocess", [GRAY, COLOR, IMAGENET, CAFFE, CAFFE_RGB], ids=str)
def test_normalized_padding_is_zero_within_half_a_gray_level(preprocess):
    preprocess = fitted("pad", preprocess.for_input(preprocess.channels, 8))
    pixels = decode(file(Image.new("RGB", (80, 8))), preprocess)
    padding = normalize(pixels[None], preprocess)[0, :, 0]
    half_a_level = [0.5 * preprocess.scale / 255 / std for std in preprocess.std]
    assert (padding.abs() <= torch.tensor(half_a_level)[:, None] + 1e-6).all()


@pytest.mark.parametrize("fit", ["pad", "squash"])
@pytest.mark.parametrize(("width", "height"), [(40, 20), (20, 41), (4, 4), (1, 3000), (3000, 1), (8, 8)])
def test_any_size_is_padded_and_squashed_to_the_input_size(width, height, fit):
    gray = Preprocess(size=8, channels=1, mean=(9 / 255,), std=(0.5,))
    assert decode(file(Image.new("L", (width, height), 9)), fitted(fit, gray)).equal(flat(9))


def test_a_square_picture_is_the_same_with_every_fit():
    content = file(PHOTO)
    for fit in ("pad", "squash"):
        assert decode(content, fitted(fit)).equal(decode(content, COLOR))


def test_downscaling_is_antialiased():
    stripes = Image.fromarray(np.tile(np.array([[0, 255]], dtype=np.uint8), (64, 32)))
    middle = decode(file(stripes), GRAY)[0, :, 1:-1]
    assert almost(middle, torch.tensor(127), tolerance=2)


PHOTO = Image.fromarray(RANDOM.integers(0, 256, (64, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_a_truncated_file_is_an_error_with_its_name(tmp_path, kind):
    content = file(PHOTO, kind)
    path = tmp_path / f"cut.{kind.lower()}"
    for kept in (len(content) // 2, len(content) - len(content) // 5, 20):
        path.write_bytes(content[:kept])
        with pytest.raises(DataError, match=r"cut\."):
            decode(path, COLOR)


@pytest.mark.parametrize(
    "content", [b"", b"not an image", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + b"\0" * 50]
)
def test_a_file_that_is_not_an_image_is_an_error(content):
    with pytest.raises(DataError, match=f"image of {len(content)} bytes"):
        decode(content, COLOR)


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"a.png does not exist"):
        decode(tmp_path / "a.png", COLOR)
    with pytest.raises(DataError, match="cannot be decoded"):
        decode(tmp_path, COLOR)


def test_too_many_pixels_are_an_error_before_decoding():
    with pytest.raises(DataError, match=r"is 64 x 64 px, over the limit of 4,000"):
        decode(file(PHOTO)[:200], COLOR, pixel_limit=4000)  # truncated, so decoding it would fail
    assert decode(file(PHOTO), COLOR, pixel_limit=4096).shape == (3, 8, 8)


@pytest.mark.parametrize(("width", "height"), [(12_000, 9_000), (30_000, 30_000)])
def test_a_decompression_bomb_is_an_error(width, height):
    header = b"P5 %d %d 255\n" % (width, height)
    with pytest.raises(DataError, match=r"over the limit|exceeds limit"):
        decode(header + b"\0" * 100, GRAY)


def test_an_image_too_narrow_to_resize_is_an_error():
    with pytest.raises(DataError, match=r"is 3000 x 1 px, too narrow: .* it would be 24000 x 8 px"):
        decode(file(Image.new("L", (3000, 1))), GRAY, pixel_limit=100_000)
