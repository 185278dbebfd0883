"""Width and height of image files, from their headers."""

import pytest
from PIL import Image

from verydeep.decoding.image_sizes import image_size, image_sizes, median_short_side
from verydeep.errors import DataError


def test_the_size_is_read_from_the_header(tmp_path):
    Image.new("RGB", (300, 200)).save(tmp_path / "wide.jpg")
    whole = (tmp_path / "wide.jpg").read_bytes()
    (tmp_path / "truncated.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "none.jpg").write_bytes(b"not an image")
    sizes = [image_size(tmp_path / name) for name in ("wide.jpg", "truncated.jpg", "none.jpg", "gone.jpg")]
    assert sizes == [(300, 200), (300, 200), None, None]


def test_the_sizes_are_those_of_the_files_that_can_be_read(tmp_path):
    for number, size in enumerate([(10, 50), (30, 20), (90, 90)]):
        Image.new("RGB", size).save(tmp_path / f"{number}.png")
    files = sorted(tmp_path.iterdir())
    (tmp_path / "text.png").write_text("no image")
    sizes = image_sizes([*files, tmp_path / "text.png"])
    assert sizes == ((10, 50), (30, 20), (90, 90)) and median_short_side(sizes) == 20
    with pytest.raises(DataError, match="none of 1 images can be read"):
        image_sizes([tmp_path / "text.png"])


def test_of_many_images_a_part_is_read(tmp_path):
    Image.new("RGB", (4, 3)).save(tmp_path / "one.png")
    assert len(image_sizes([tmp_path / "one.png"] * 1201)) == 401
