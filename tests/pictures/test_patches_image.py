"""Patches are cut from the correct position, and every filter is in the picture."""

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import DataError
from verydeep.explain.image_patches import ImagePatches
from verydeep.explain.patches import ChannelPatches, LayerPatches, Patch
from verydeep.pictures.filters_image import FILTER_SIDE, write_filters_image
from verydeep.pictures.patches_image import SIDE, cut_out, write_patches_image

PREPROCESS = Preprocess(size=20, mean=(0.0,) * 3, std=(1.0,) * 3)


def test_a_patch_is_gray_beyond_the_border():
    pixels = np.arange(3 * 6 * 6, dtype=np.uint8).reshape(3, 6, 6)
    patch = cut_out(pixels, Patch(0, (-1, 4, 3, 8), 1.0))
    assert patch.shape == (4, 4, 3)
    assert (patch[1:, :2].transpose(2, 0, 1) == pixels[:, :3, 4:]).all()
    assert (patch[0] == 225).all() and (patch[:, 2:] == 225).all()
    whole = cut_out(pixels, Patch(0, (-2, -2, 8, 8), 1.0))
    assert (whole[2:8, 2:8].transpose(2, 0, 1) == pixels).all()


def test_the_picture_has_one_row_per_channel(tmp_path):
    for name, color in (("red", (200, 0, 0)), ("green", (0, 200, 0))):
        Image.new("RGB", (20, 20), color).save(tmp_path / f"{name}.png")
    files = (tmp_path / "red.png", tmp_path / "green.png")
    rows = tuple(ChannelPatches(i, (Patch(i, (2, 2, 8, 8), 1234.5),), 3.0) for i in range(2))
    patches = ImagePatches(
        network="tiny", preprocess=PREPROCESS, patches=LayerPatches("relu1_2", 6, 2, rows),
        sources=files, broken=(),
    )  # fmt: skip
    write_patches_image(patches, tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as opened:
        counts = {color: count for count, color in opened.getcolors(1 << 20)}
    assert counts[(200, 0, 0)] == counts[(0, 200, 0)] == SIDE**2
    files[1].unlink()
    with pytest.raises(DataError, match="does not exist"):
        write_patches_image(patches, tmp_path / "q.png")


@pytest.mark.parametrize("channels", [1, 3])
def test_every_filter_is_drawn_pixel_by_pixel(channels, tmp_path):
    filters = torch.linspace(0.1, 0.6, 7 * channels * 25).view(7, channels, 5, 5)
    write_filters_image(filters, "tiny", tmp_path / "f.png")
    with Image.open(tmp_path / "f.png") as opened:
        counts = {color: count for count, color in opened.convert("RGB").getcolors(1 << 20)}
    for pixels in (255 * filters).round().byte().flatten(2):
        for color in pixels.expand(3, -1).T.tolist():
            assert counts.get(tuple(color), 0) >= (FILTER_SIDE // 5) ** 2
