"""Patches are cut from the right place, and every filter is on the sheet."""

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import DataError
from verydeep.explain.patches import Channel, LayerPatches, Patch
from verydeep.pictures.patches_image import SIDE, cut_out, write_filters, write_patches

SEEN = Preprocess(size=20, mean=(0.0,) * 3, std=(1.0,) * 3)


def test_a_patch_past_the_border_is_gray_there():
    pixels = np.arange(3 * 6 * 6, dtype=np.uint8).reshape(3, 6, 6)
    seen = cut_out(pixels, Patch(0, (-1, 4, 3, 8), 1.0))
    assert seen.shape == (4, 4, 3)
    assert (seen[1:, :2].transpose(2, 0, 1) == pixels[:, :3, 4:]).all()
    assert (seen[0] == 225).all() and (seen[:, 2:] == 225).all()
    whole = cut_out(pixels, Patch(0, (-2, -2, 8, 8), 1.0))
    assert (whole[2:8, 2:8].transpose(2, 0, 1) == pixels).all()


def test_the_sheet_has_a_row_a_channel(tmp_path):
    for name, color in (("red", (200, 0, 0)), ("green", (0, 200, 0))):
        Image.new("RGB", (20, 20), color).save(tmp_path / f"{name}.png")
    files = [tmp_path / "red.png", tmp_path / "green.png"]
    rows = tuple(Channel(number, (Patch(number, (2, 2, 8, 8), 1234.5),), 3.0) for number in range(2))
    write_patches(LayerPatches("relu1_2", 6, 2, rows), files, SEEN, "tiny", tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as opened:
        counts = {color: count for count, color in opened.getcolors(1 << 20)}
    assert counts[(200, 0, 0)] == counts[(0, 200, 0)] == SIDE**2
    files[1].unlink()
    with pytest.raises(DataError, match="does not exist"):
        write_patches(LayerPatches("relu1_2", 6, 2, rows), files, SEEN, "tiny", tmp_path / "q.png")


@pytest.mark.parametrize("channels", [1, 3])
def test_every_filter_is_drawn_pixel_by_pixel(channels, tmp_path):
    filters = torch.linspace(0.1, 0.6, 7 * channels * 25).view(7, channels, 5, 5)
    write_filters(filters, "tiny", tmp_path / "f.png")
    with Image.open(tmp_path / "f.png") as opened:
        counts = {color: count for count, color in opened.convert("RGB").getcolors(1 << 20)}
    for one in (255 * filters).round().byte():
        for place in range(25):
            color = tuple(one.flatten(1)[:, place].expand(3).tolist()) if channels == 1 else tuple(
                one.flatten(1)[:, place].tolist()
            )  # fmt: skip
            assert counts.get(color, 0) >= (SIDE // 5) ** 2
