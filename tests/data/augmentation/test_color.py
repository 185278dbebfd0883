"""Random resized crop and changes of color: their limits, and that a generator's state decides the result."""

import pytest
import torch

from verydeep.data import synthetic
from verydeep.data.augmentation.augment import augment, draw
from verydeep.data.augmentation.color import (
    COLOR_COMPONENTS,
    COLOR_EIGENVALUES,
    color_jitter,
    draw_color,
    draw_crop,
    draw_pca_color,
    draw_scale_jitter,
    mean_of_each,
    pca_color_shift,
    random_resized_crop,
)
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.errors import RecipeError

COLORED = synthetic.shapes(64, size=24, channels=3, seed=2).pixels


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_crop_of_the_whole_area_changes_only_the_aspect_ratio():
    # With all of the area and a random aspect ratio, one side is cut and the other is not.
    ramp = torch.arange(24.0).expand(64, 1, 24, 24) / 24
    cropped = random_resized_crop(ramp, draw_crop(64, 1.0, seeded()))
    assert float((cropped - ramp).abs().max()) <= 1 - (3 / 4) ** 0.5


@pytest.mark.parametrize("min_area", [0.25, 0.5, 0.9])
def test_a_crop_has_at_least_the_minimum_area(min_area):
    """On a ramp, the difference between neighboring pixels gives the width of the crop."""
    across = (torch.arange(24.0) / 24).expand(256, 1, 24, 24)
    crops = draw_crop(256, min_area, seeded())
    across, down = random_resized_crop(across, crops), random_resized_crop(across.mT, crops)
    width = across[:, 0, 12, 12:14].diff().flatten() * 24
    height = down[:, 0, 12:14, 12].diff().flatten() * 24
    area = width * height
    assert float(area.min()) > 0.85 * min_area  # a side longer than the image is cut
    assert float(area.max()) <= 1.001
    assert float((width / height).max()) <= 4 / 3 + 0.01
    assert float((width / height).min()) >= 3 / 4 - 0.01


def test_color_jitter_stays_within_its_strength():
    images = torch.full((256, 1, 4, 4), 0.4)  # gray and constant: only brightness changes it
    changed = color_jitter(images, draw_color(256, 0.2, seeded()))[:, 0, 0, 0]
    assert 0.32 <= float(changed.min()) < 0.34
    assert 0.46 < float(changed.max()) <= 0.48


@pytest.mark.parametrize("config", [AugmentConfig(crop=0.5), AugmentConfig(color=0.3)])
def test_the_dtype_stays_and_the_generator_decides(config):
    indices = torch.arange(64)
    first, again, other = (
        augment(COLORED, draw(config, indices, 0, (24, 24), seeded(seed))) for seed in (1, 1, 2)
    )
    assert first.dtype == torch.uint8
    assert first.shape == COLORED.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert abs(float(first.float().mean()) - float(COLORED.float().mean())) < 15


def test_the_pca_color_shift_has_the_spread_of_the_principal_components():
    drawn = draw_pca_color(20_000, 0.1, seeded())
    components = torch.tensor(COLOR_COMPONENTS)
    torch.testing.assert_close(components @ components.T, torch.eye(3), atol=1e-3, rtol=0)
    along = drawn @ components.T
    torch.testing.assert_close(along.std(0), 0.1 * torch.tensor(COLOR_EIGENVALUES), atol=0, rtol=0.03)


def test_the_pca_color_shift_adds_one_color_to_an_image():
    images = torch.full((2, 3, 4, 4), 100, dtype=torch.uint8)
    shifted = pca_color_shift(images, torch.tensor([[0.1, 0.0, -0.1], [1.0, 1.0, 1.0]]))
    assert shifted[0, :, 0, 0].tolist() == [126, 100, 74]
    assert shifted[1, :, 2, 2].tolist() == [255, 255, 255]
    gray = pca_color_shift(images[:, :1], torch.tensor([[0.1, 0.1, 0.1], [0.0, 0.0, 0.0]]))
    assert gray[:, 0, 0, 0].tolist() == [126, 100]


def test_scale_jitter_is_a_square_of_224_px_in_an_image_of_256_to_512():
    side, stretch, down, right = draw_scale_jitter(20_000, 2.0, seeded()).T
    short_side = 224 / side
    assert 256 <= float(short_side.min()) < 257 and 511 < float(short_side.max()) <= 512.001
    assert abs(float(short_side.mean()) - 384) < 2
    assert bool((stretch == 1).all())
    assert -1 <= float(down.min()) < -0.99 and 0.99 < float(right.max()) <= 1


def test_scale_jitter_of_1_cuts_at_one_scale():
    assert draw_scale_jitter(8, 1.0, seeded())[:, 0].tolist() == pytest.approx([7 / 8] * 8)


@pytest.mark.parametrize(
    ("values", "message"),
    [({"scale_jitter": 0.5}, "give 1 or more"), ({"scale_jitter": 2.0, "crop": 0.5}, "both cut the images")],
)
def test_scale_jitter_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(RecipeError, match=message):
        AugmentConfig(**values)


def test_the_mean_of_an_image_does_not_depend_on_the_batch():
    images = torch.rand(7, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    means = mean_of_each(images)
    assert torch.equal(means, torch.cat([mean_of_each(image[None]) for image in images]))
    assert means.dtype == images.dtype
    torch.testing.assert_close(means.flatten(), images.flatten(1).mean(1))
