"""The positions of crops."""

import pytest
import torch

from verydeep.errors import ShapeError
from verydeep.evaluate.crops import corners_and_center, crops, grid


def test_corners_and_center_of_krizhevsky():  # section 4.1: 224 of 256
    assert corners_and_center(256, 256, 224) == ((0, 0), (0, 32), (32, 0), (32, 32), (16, 16))


def test_a_grid_of_5_by_5_goes_from_corner_to_corner():  # VGG, section 3.2
    positions = grid(256, 384, 224)
    assert len(positions) == 25
    assert sorted({top for top, _ in positions}) == [0, 8, 16, 24, 32]
    assert sorted({left for _, left in positions}) == [0, 40, 80, 120, 160]


def test_equal_positions_are_returned_once():
    assert corners_and_center(224, 224, 224) == grid(224, 224, 224) == ((0, 0),)
    assert len(grid(226, 224, 224)) == 3


def test_crops_are_at_their_positions():
    pixels = torch.arange(2 * 6 * 8, dtype=torch.uint8).view(2, 1, 6, 8)
    first, last = crops(pixels, 4, ((0, 0), (2, 4)))
    assert torch.equal(first, pixels[:, :, :4, :4]) and torch.equal(last, pixels[:, :, 2:, 4:])


def test_an_image_smaller_than_the_crop_is_rejected():
    with pytest.raises(ShapeError, match="20 x 30; crops of 24 px"):
        grid(20, 30, 24)
