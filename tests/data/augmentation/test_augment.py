"""Data augmentation of tensors (flip, shift, cutout), and normalization."""

import pytest
import torch
from PIL import Image
from torch.nn import functional

from verydeep.architecture.preprocess import CAFFE, IMAGENET, Preprocess
from verydeep.data.augmentation.augment import (
    augment,
    cutout,
    draw,
    draw_cutout,
    draw_shift,
    flip,
    flip_mask,
    shift,
)
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.batches import generator
from verydeep.data.decode import decode
from verydeep.data.normalize import fit_to_input, normalize, standardize
from verydeep.errors import ShapeError

COUNT = 400
IMAGES = torch.randint(1, 256, (COUNT, 3, 6, 8), generator=generator(0)).to(torch.uint8)
INDICES = torch.arange(COUNT)


SIZE = (6, 8)


def alternating_flip(images, indices, epoch):
    return flip(images, flip_mask(indices, epoch, "alternating", generator(0)))


def augmented(images, epoch, config, seed):
    return augment(images, draw(config, INDICES.to(images.device), epoch, SIZE, generator(seed)))


def is_flipped(after: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    flipped = (after == before.flip(-1)).flatten(1).all(1)
    assert (flipped | (after == before).flatten(1).all(1)).all()  # either one or the other
    return flipped


def test_alternating_flip_flips_each_image_in_one_of_two_consecutive_epochs():
    masks = [is_flipped(alternating_flip(IMAGES, INDICES, epoch), IMAGES) for epoch in range(4)]
    assert masks[0].equal(~masks[1]) and masks[0].equal(masks[2]) and masks[1].equal(masks[3])


def test_alternating_flip_starts_with_about_half_of_the_images_and_no_pattern():
    bits = is_flipped(alternating_flip(IMAGES, INDICES, 0), IMAGES).double()
    assert abs(bits.mean() - 0.5) < 4 * 0.5 / COUNT**0.5
    for lag in (1, 2, 4, 8):  # neighbors agree as often as not
        assert abs((bits[lag:] == bits[:-lag]).double().mean() - 0.5) < 0.1


def test_alternating_flip_depends_on_the_index_not_on_the_batch():
    chosen = torch.tensor([7, 3, 399, 3])
    assert alternating_flip(IMAGES[chosen], chosen, 5).equal(alternating_flip(IMAGES, INDICES, 5)[chosen])


def test_random_horizontal_flip_flips_about_half():
    flipped = is_flipped(flip(IMAGES, flip_mask(INDICES, 0, "random", generator(1))), IMAGES)
    assert abs(flipped.double().mean() - 0.5) < 0.1


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_shift_is_a_crop_of_the_reflection_padded_image(pixels):
    shifted = shift(IMAGES, draw_shift(COUNT, pixels, SIZE, generator(2)))
    padded = functional.pad(IMAGES.float(), (pixels,) * 4, mode="reflect").to(torch.uint8)
    slices = padded.unfold(2, 6, 1).unfold(3, 8, 1)  # (count, 3, 2 * pixels + 1, 2 * pixels + 1, 6, 8)
    matches = (slices == shifted[:, :, None, None]).all(-1).all(-1).all(1)  # (count, down, right)
    assert matches.flatten(1).sum(1).eq(1).all()
    assert set(matches.nonzero()[:, 1].tolist()) == set(range(2 * pixels + 1))
    assert set(matches.nonzero()[:, 2].tolist()) == set(range(2 * pixels + 1))


def test_a_shift_of_zero_changes_nothing():
    assert shift(IMAGES, draw_shift(COUNT, 0, SIZE, generator(0))).equal(IMAGES)


def test_cutout_sets_one_square_of_each_image_to_zero():
    kept = cutout(IMAGES, draw_cutout(COUNT, 3, SIZE, generator(3)), 3) == IMAGES
    assert (~kept).flatten(2).sum(2).eq(9).all()
    rows, columns = (~kept).any(3).sum(2), (~kept).any(2).sum(2)
    assert rows.eq(3).all() and columns.eq(3).all()
    assert len((~kept)[:, 0].flatten(1).unique(dim=0)) == (6 - 3 + 1) * (8 - 3 + 1)  # every position


@pytest.mark.parametrize("draw_it", [draw_shift, draw_cutout])
def test_a_size_that_does_not_fit_the_images_is_an_error(draw_it):
    with pytest.raises(ShapeError, match="px for 6 x 8 images, got 9"):
        draw_it(COUNT, 9, SIZE, generator(0))


CONFIG = AugmentConfig(flip="random", shift=2, cutout=3)


def test_the_generator_is_the_only_source_of_randomness():
    first = augmented(IMAGES, 0, CONFIG, 4)
    torch.rand(1)
    assert augmented(IMAGES, 0, CONFIG, 4).equal(first)
    assert not augmented(IMAGES, 0, CONFIG, 5).equal(first)


def test_augment_applies_the_fields_of_the_config_in_order():
    assert augmented(IMAGES, 0, AugmentConfig(), 0).equal(IMAGES)
    config = AugmentConfig(flip="alternating", shift=1, cutout=2)
    stream = generator(6)
    shifted = shift(alternating_flip(IMAGES, INDICES, 3), draw_shift(COUNT, 1, SIZE, stream))
    expected = cutout(shifted, draw_cutout(COUNT, 2, SIZE, stream), 2)
    assert augmented(IMAGES, 3, config, 6).equal(expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.bfloat16])
def test_augmentation_keeps_dtype_and_shape(dtype):
    images = IMAGES.to(dtype)
    changed = augmented(images, 0, CONFIG, 7)
    assert (changed.dtype, changed.shape) == (dtype, images.shape)
    assert changed.double().equal(augmented(IMAGES, 0, CONFIG, 7).to(dtype).double())


@pytest.mark.gpu
def test_a_cpu_generator_gives_the_same_images_on_every_device():
    changed = augmented(IMAGES.cuda(), 1, CONFIG, 8)
    assert changed.cpu().equal(augmented(IMAGES, 1, CONFIG, 8))


def test_normalized_images_have_mean_0_and_standard_deviation_1():
    gray = IMAGES[:, :1]
    values = gray.double() / 255
    preprocess = Preprocess(
        size=8, channels=1, mean=(values.mean().item(),), std=(values.std(correction=0).item(),)
    )
    images = normalize(gray, preprocess).double()
    assert abs(images.mean()) < 1e-6 and abs(images.std(correction=0) - 1) < 1e-6


def test_normalize_matches_torchvision():
    black, white = (torch.full((1, 3, 1, 1), value, dtype=torch.uint8) for value in (0, 255))
    assert normalize(black, IMAGENET).flatten().tolist() == pytest.approx([-2.117904, -2.035714, -1.804444])
    assert normalize(white, IMAGENET).flatten().tolist() == pytest.approx([2.248908, 2.428571, 2.64])


def test_normalize_matches_caffe():
    red = torch.tensor([255, 0, 0], dtype=torch.uint8)[None, :, None, None]
    assert normalize(red, CAFFE).flatten().tolist() == pytest.approx([-103.939, -116.779, 255 - 123.68])


def test_another_number_of_channels_is_an_error():
    with pytest.raises(ShapeError, match="images have 1 channels; this preprocessing needs 3"):
        normalize(IMAGES[:, :1], IMAGENET)


@pytest.mark.parametrize("preprocess", [IMAGENET, CAFFE])
def test_standardize_matches_normalize(preprocess):
    pixels = torch.randint(256, (2, 3, 5, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = normalize(pixels, preprocess)
    torch.testing.assert_close(standardize(pixels / 255, preprocess), expected, rtol=1e-5, atol=1e-4)
    assert standardize((pixels / 255).double(), preprocess).dtype == torch.float64
    assert standardize((pixels / 255).bfloat16(), preprocess).dtype == torch.float32


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize(("height", "width"), [(30, 20), (20, 31), (11, 11), (9, 12), (1, 40)])
def test_tensors_come_to_the_input_size_as_files_do(height, width, fit, tmp_path):
    preprocess = Preprocess(size=10, resize=12, mean=(0.1, 0.2, 0.3), std=(1.0,) * 3).with_fit(fit)
    pixels = torch.randint(256, (3, height, width), generator=generator(0)).to(torch.uint8)
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(tmp_path / "image.png")
    expected = decode(tmp_path / "image.png", preprocess)
    (fitted,) = fit_to_input(pixels[None], preprocess)
    assert (fitted.int() - expected.int()).abs().max() <= 1  # Pillow and torch round differently by one level


def test_images_of_the_input_size_are_returned_unchanged():
    images = torch.zeros(1, 3, 224, 224, dtype=torch.uint8)
    assert fit_to_input(images, IMAGENET) is images
