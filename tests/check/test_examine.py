"""The properties of an image, and that corrupt files are found."""

import io
import os
import threading

import numpy as np
import pytest
from PIL import Image

from verydeep.check.examine import ImageFacts, examine, examine_all, has_wrong_suffix
from verydeep.decoding.decode import read_image
from verydeep.errors import DataError, UnreadableError
from verydeep.image_sources.image_source import UnreadableImage

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
def test_the_kind_of_image(tmp_path, mode, suffix, kind):
    path = save(picture(0, mode=mode), tmp_path / f"x{suffix}")
    facts = examine(path)
    assert isinstance(facts, ImageFacts)
    assert (facts.width, facts.height, facts.kind) == (120, 90, kind)
    assert not (facts.is_rotated or facts.is_animated or has_wrong_suffix(path, facts))


def test_16_bit_rotated_and_animated_images(tmp_path):
    deep = Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16)
    assert examine(save(deep, tmp_path / "deep.png")).kind == "16-bit"
    exif = Image.Exif()
    exif[0x0112] = 6
    rotated = examine(save(picture(0), tmp_path / "rotated.jpg", exif=exif))
    assert rotated.is_rotated and (rotated.width, rotated.height) == (90, 120)
    frames = {"save_all": True, "append_images": [picture(1)]}
    assert examine(save(picture(0), tmp_path / "moving.gif", **frames)).is_animated


def test_a_wrong_suffix_is_found(tmp_path):
    path = save(picture(0), tmp_path / "x.png", format="JPEG")
    assert has_wrong_suffix(path, examine(path))


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "empty"), (b"<html>not found</html>", "not an image"), (b"\xff\xd8\xff", "not an image")],
)
def test_a_file_that_is_not_an_image_is_unreadable(tmp_path, content, kind):
    (tmp_path / "x.jpg").write_bytes(content)
    unreadable = examine(tmp_path / "x.jpg")
    assert isinstance(unreadable, UnreadableImage) and unreadable.kind == kind
    assert str(tmp_path / "x.jpg") in unreadable.reason
    assert unreadable.values == {"file": str(tmp_path / "x.jpg"), "error": unreadable.reason}


def test_a_huge_image_is_not_decoded(tmp_path):
    path = save(picture(0), tmp_path / "x.png")
    assert examine(path, pixel_limit=1000).kind == "too large"


def test_a_missing_file_is_unreadable(tmp_path):
    assert examine(tmp_path / "gone.jpg").kind == "missing"


class EmptyCell:
    """A table cell without an image."""

    def read(self):
        raise UnreadableError("the cell is empty", "empty")


def test_an_empty_cell_of_a_table_is_unreadable():
    assert examine(EmptyCell()).kind == "empty"


@pytest.mark.parametrize(("kind", "options"), [
    ("JPEG", {"quality": 90}), ("JPEG", {"quality": 90, "progressive": True}), ("PNG", {}), ("WEBP", {})
])  # fmt: skip
def test_truncated_and_corrupt_files_are_found(tmp_path, kind, options):
    """Decoding at low resolution finds the same corrupt files as full decoding."""
    buffer = io.BytesIO()
    picture(5, 300, 300).save(buffer, kind, **options)
    whole = buffer.getvalue()
    random = np.random.default_rng(0)
    truncated = [whole[:length] for length in random.integers(1, len(whole), 30)]
    corrupt = []
    for position in random.integers(0, len(whole), 30):
        content = bytearray(whole)
        content[position] ^= 0x5A
        corrupt.append(bytes(content))
    path = tmp_path / "x"
    for content in [whole, *truncated, *corrupt]:
        path.write_bytes(content)
        assert isinstance(examine(path), UnreadableImage) == is_unreadable(content)
    path.write_bytes(whole[: len(whole) // 2])
    assert isinstance(examine(path), UnreadableImage)


def is_unreadable(content):
    try:
        read_image(content)
    except DataError:
        return True
    return False


def test_the_order_does_not_depend_on_the_threads(tmp_path):
    paths = [save(picture(seed, 30 + seed, 30), tmp_path / f"{seed}.png") for seed in range(70)]
    for workers in (1, 3):
        widths = [facts.width for facts in examine_all(paths, workers=workers)]
        assert widths == list(range(30, 100))


def test_there_are_as_many_threads_as_usable_cores(tmp_path):
    paths = [save(picture(seed, 30, 30), tmp_path / f"{seed}.png") for seed in range(100)]
    before, cores = threading.active_count(), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        examined = examine_all(paths)
        next(examined)
        assert threading.active_count() == before + 1
        assert len(list(examined)) == 99
    finally:
        os.sched_setaffinity(0, cores)
