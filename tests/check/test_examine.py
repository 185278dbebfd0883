"""What is seen of one image, and that what is broken shows."""

import io

import numpy as np
import pytest
from PIL import Image

from verydeep.check.examine import Damaged, ImageFacts, examine, examine_all, misnamed
from verydeep.data.decode import read_image
from verydeep.errors import DataError

from ..data.pictures import picture, save


@pytest.mark.parametrize(
    ("mode", "suffix", "kind"),
    [
        ("RGB", ".jpg", "color"),
        ("L", ".png", "gray"),
        ("P", ".gif", "palette"),
        ("RGBA", ".png", "alpha"),
        ("CMYK", ".tif", "CMYK"),
        ("1", ".bmp", "black and white"),
    ],
)
def test_the_kind_is_told(tmp_path, mode, suffix, kind):
    path = save(picture(0, mode=mode), tmp_path / f"x{suffix}")
    seen = examine(path)
    assert isinstance(seen, ImageFacts)
    assert (seen.width, seen.height, seen.kind) == (120, 90, kind)
    assert not (seen.is_turned or seen.is_animated or misnamed(path, seen))


def test_16_bits_turned_and_animated_ones_are_told(tmp_path):
    deep = Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16)
    assert examine(save(deep, tmp_path / "deep.png")).kind == "16-bit"
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = examine(save(picture(0), tmp_path / "turned.jpg", exif=exif))
    assert turned.is_turned and (turned.width, turned.height) == (90, 120)
    frames = {"save_all": True, "append_images": [picture(1)]}
    assert examine(save(picture(0), tmp_path / "moving.gif", **frames)).is_animated


def test_a_suffix_that_lies_is_told(tmp_path):
    path = save(picture(0), tmp_path / "x.png", format="JPEG")
    assert misnamed(path, examine(path))


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "empty"), (b"<html>not found</html>", "no image"), (b"\xff\xd8\xff", "no image")],
)
def test_what_is_no_image_is_named(tmp_path, content, kind):
    (tmp_path / "x.jpg").write_bytes(content)
    damaged = examine(tmp_path / "x.jpg")
    assert isinstance(damaged, Damaged) and damaged.kind == kind
    assert str(tmp_path / "x.jpg") in damaged.why


def test_a_huge_image_is_not_decoded(tmp_path):
    path = save(picture(0), tmp_path / "x.png")
    assert examine(path, pixel_limit=1000).kind == "too large"


def test_a_file_that_is_gone_is_named(tmp_path):
    assert examine(tmp_path / "gone.jpg").kind == "not there"


@pytest.mark.parametrize(("kind", "options"), [
    ("JPEG", {"quality": 90}), ("JPEG", {"quality": 90, "progressive": True}), ("PNG", {}), ("WEBP", {})
])  # fmt: skip
def test_damage_shows_wherever_a_file_is_cut_or_spoilt(tmp_path, kind, options):
    """The quick decoding finds what the whole one finds: both are held to each other at many places."""
    buffer = io.BytesIO()
    picture(5, 300, 300).save(buffer, kind, **options)
    whole = buffer.getvalue()
    random = np.random.default_rng(0)
    cut = [whole[:length] for length in random.integers(1, len(whole), 30)]
    spoilt = []
    for place in random.integers(0, len(whole), 30):
        content = bytearray(whole)
        content[place] ^= 0x5A
        spoilt.append(bytes(content))
    path = tmp_path / "x"
    for content in [whole, *cut, *spoilt]:
        path.write_bytes(content)
        assert isinstance(examine(path), Damaged) == is_broken(content)
    path.write_bytes(whole[: len(whole) // 2])
    assert isinstance(examine(path), Damaged)


def is_broken(content):
    try:
        read_image(content)
    except DataError:
        return True
    return False


def test_all_come_in_order_whatever_the_threads(tmp_path):
    paths = [save(picture(seed, 30 + seed, 30), tmp_path / f"{seed}.png") for seed in range(70)]
    for workers in (1, 3):
        widths = [seen.width for seen in examine_all(paths, workers=workers)]
        assert widths == list(range(30, 100))
