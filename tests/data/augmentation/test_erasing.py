"""Random erasing: how much is erased, how often, and by which color."""

import pytest
import torch

from verydeep.data import synthetic
from verydeep.data.augmentation.erasing import draw_erasing, erase


def drawn(count, probability, seed=0):
    return draw_erasing(count, probability, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_as_many_images_as_the_probability_says_are_erased(probability):
    _, _, height, width = drawn(4_000, probability).T
    assert float(((height > 0) & (width > 0)).float().mean()) == pytest.approx(probability, abs=0.03)


def test_the_rectangles_lie_inside_with_the_area_and_shape_of_their_ranges():
    row, column, height, width = drawn(4_000, 1.0).T
    assert float(row.min()) >= 0 and float((row + height).max()) <= 1 + 1e-6
    assert float(column.min()) >= 0 and float((column + width).max()) <= 1 + 1e-6
    area, aspect = height * width, height / width
    assert 0.019 < float(area.min()) < 0.03 and 0.3 < float(area.max()) < 0.334
    assert float(aspect.min()) > 0.29 and float(aspect.max()) < 3.34


def test_the_rectangle_has_the_mean_color_and_the_rest_stays():
    images = synthetic.shapes(3, size=20, channels=3, seed=2).pixels
    rectangles = torch.tensor([[0.25, 0.5, 0.5, 0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    erased = erase(images, rectangles)
    mean = images.float().mean((2, 3)).round().to(torch.uint8)
    assert torch.equal(erased[0, :, 5:15, 10:15], mean[0][:, None, None].expand(3, 10, 5))
    kept = torch.ones(20, 20, dtype=torch.bool)
    kept[5:15, 10:15] = False
    assert torch.equal(erased[0, :, kept], images[0, :, kept])
    assert torch.equal(erased[1], images[1])
    assert torch.equal(erased[2], mean[2][:, None, None].expand(3, 20, 20))


def test_floats_stay_floats():
    images = torch.rand(2, 1, 8, 8)
    assert erase(images, drawn(2, 1.0)).dtype == torch.float32
