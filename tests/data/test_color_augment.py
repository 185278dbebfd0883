"""Crops and changes of color stay within what was asked for, and are the same for the same chance."""

import pytest
import torch

from verydeep.data import synthetic
from verydeep.data.augment import AugmentConfig, augment
from verydeep.data.color_augment import color, resized_crop

COLORED = synthetic.shapes(64, size=24, channels=3, seed=2).pixels


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_crop_of_the_whole_is_the_image():
    # Of all of the area and any proportion, one side is cut and the other kept: only a square is whole.
    ramp = torch.arange(24.0).expand(64, 1, 24, 24) / 24
    cropped = resized_crop(ramp, 1.0, chance())
    assert float((cropped - ramp).abs().max()) <= 1 - (3 / 4) ** 0.5


@pytest.mark.parametrize("least", [0.25, 0.5, 0.9])
def test_a_crop_has_at_least_the_area_asked_for(least):
    """On a ramp the steps between neighbors tell how wide a crop was."""
    across = (torch.arange(24.0) / 24).expand(256, 1, 24, 24)
    across, down = resized_crop(across, least, chance()), resized_crop(across.mT, least, chance())
    width = across[:, 0, 12, 12:14].diff().flatten() * 24
    height = down[:, 0, 12:14, 12].diff().flatten() * 24
    area = width * height
    assert float(area.min()) > 0.85 * least  # a side over the image's is cut to it
    assert float(area.max()) <= 1.001
    assert float((width / height).max()) <= 4 / 3 + 0.01
    assert float((width / height).min()) >= 3 / 4 - 0.01


def test_colors_change_by_no_more_than_asked_for():
    images = torch.full((256, 1, 4, 4), 0.4)  # gray and flat: only brightness is left
    changed = color(images, 0.2, chance())[:, 0, 0, 0]
    assert 0.32 <= float(changed.min()) < 0.34
    assert 0.46 < float(changed.max()) <= 0.48


@pytest.mark.parametrize("config", [AugmentConfig(crop=0.5), AugmentConfig(color=0.3)])
def test_pixels_stay_pixels_and_chance_decides(config):
    places = torch.arange(64)
    first, again, other = (augment(COLORED, places, 0, config, chance(seed)) for seed in (1, 1, 2))
    assert first.dtype == torch.uint8
    assert first.shape == COLORED.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert abs(float(first.float().mean()) - float(COLORED.float().mean())) < 15
