"""TrivialAugment against Pillow's operations, and what it draws."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from verydeep.data import synthetic
from verydeep.data.augmentation.augment import augment, draw
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.augmentation.trivial_augment import OPERATIONS, draw_trivial, trivial_augment

NAMES = [operation.__name__.removeprefix("_") for operation in OPERATIONS]


@pytest.fixture
def images():
    """Shapes under a gradient: many values, and a flat one."""
    shapes = synthetic.shapes(4, size=24, channels=3, seed=2).pixels.float()
    images = (shapes * 0.7 + torch.linspace(0, 60, 24)).round().clamp(0, 255).to(torch.uint8)
    images[3] = 90
    return images


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def applied(name, images, strength=0.0):
    choices = torch.tensor([[NAMES.index(name), strength]]).expand(len(images), 2)
    return trivial_augment(images, choices)


def with_pillow(images, change):
    pictures = [change(Image.fromarray(each.permute(1, 2, 0).numpy())) for each in images]
    return torch.stack([torch.from_numpy(np.array(each)).permute(2, 0, 1) for each in pictures])


@pytest.mark.parametrize(
    ("name", "strength", "change"),
    [
        ("identity", 0.5, lambda picture: picture),
        ("equalize", 0.0, ImageOps.equalize),
        ("posterize", 0.5, lambda picture: ImageOps.posterize(picture, 5)),
        ("posterize", 1.0, lambda picture: ImageOps.posterize(picture, 2)),
        ("solarize", 0.4, lambda picture: ImageOps.solarize(picture, 153)),
        ("solarize", -1.0, lambda picture: ImageOps.solarize(picture, 0)),
    ],
)
def test_operations_on_values_are_those_of_pillow(images, name, strength, change):
    assert torch.equal(applied(name, images, strength), with_pillow(images, change))


def test_autocontrast_is_that_of_pillow_but_for_rounding(images):
    difference = applied("autocontrast", images).int() - with_pillow(images, ImageOps.autocontrast).int()
    assert int(difference.abs().max()) <= 1
    assert applied("autocontrast", images)[:3].amax((2, 3)).min() == 255


@pytest.mark.parametrize("strength", [-1.0, -0.4, 0.0, 0.6, 1.0])
@pytest.mark.parametrize(
    ("name", "enhancer"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("color", ImageEnhance.Color),
        ("contrast", ImageEnhance.Contrast),
        ("sharpness", ImageEnhance.Sharpness),
    ],
)
def test_enhancements_are_those_of_pillow_but_for_rounding(images, name, enhancer, strength):
    expected = with_pillow(images, lambda picture: enhancer(picture).enhance(1 + 0.99 * strength))
    difference = applied(name, images, strength).int() - expected.int()
    assert int(difference.abs().max()) <= 2


def test_a_translation_moves_by_a_seventh_of_the_side_at_most():
    images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    images[:, :, 14, 14] = 200
    for name, sign, place in (
        ("translate_x", 1, (14, 10)), ("translate_x", -1, (14, 18)), ("translate_y", 1, (10, 14)),
    ):  # fmt: skip
        (moved, _) = applied(name, images, float(sign))
        assert divmod(int(moved.flatten().argmax()), 28) == place


def test_a_rotation_turns_about_the_center():
    images = torch.zeros(1, 1, 24, 24, dtype=torch.uint8)
    images[..., 4:8, 10:14] = 200
    turned = applied("rotate", images, 90 / 135)
    assert torch.equal(turned, images.rot90(1, (2, 3))) or torch.equal(turned, images.rot90(-1, (2, 3)))


def test_a_shear_keeps_the_middle_row():
    images = synthetic.shapes(2, size=25, channels=3, seed=1).pixels
    sheared = applied("shear_x", images, 1.0)
    assert torch.equal(sheared[:, :, 12], images[:, :, 12])
    assert not torch.equal(sheared, images)


def test_every_operation_and_strength_is_drawn_about_as_often():
    operation, strength = draw_trivial(14_000, seeded()).unbind(1)
    counts = operation.long().bincount(minlength=14)
    assert int(counts.min()) > 850 and int(counts.max()) < 1150
    assert strength.abs().unique().numel() == 31
    assert float(strength.min()) == -1 and float(strength.max()) == 1
    assert abs(float(strength.mean())) < 0.02


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_the_generator_decides_and_the_dtype_stays(images, dtype):
    images = images if dtype == torch.uint8 else images / 255
    config = AugmentConfig(trivial=True)
    first, again, other = (
        augment(images, draw(config, torch.arange(4), 0, (24, 24), seeded(seed))) for seed in (1, 1, 2)
    )
    assert first.dtype == dtype and torch.equal(first, again) and not torch.equal(first, other)
    assert float(first.min()) >= 0 and float(first.max()) <= (255 if dtype == torch.uint8 else 1)


@pytest.mark.parametrize("channels", [1, 4])
def test_images_of_other_channels_are_changed_too(channels):
    images = synthetic.shapes(14, size=16, channels=1, seed=2).pixels.expand(-1, channels, -1, -1)
    choices = torch.stack([torch.arange(14.0), torch.ones(14)], 1)
    assert trivial_augment(images, choices).shape == images.shape
