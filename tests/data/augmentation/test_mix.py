"""Mixup and CutMix: each image is what its label says it is."""

import pytest
import torch

from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.augmentation.mix import draw_mix, mix
from verydeep.data.batches import generator

LABELS = torch.tensor([0, 1, 2, 0])
IMAGES = torch.tensor([1.0, 2.0, 4.0, 8.0])[:, None, None, None].expand(4, 1, 12, 20)
MIXUP, CUTMIX = AugmentConfig(mixup=1.0), AugmentConfig(cutmix=1.0)
BOTH = AugmentConfig(mixup=0.2, cutmix=1.0)


def mixed(config, seed=0):
    return mix(IMAGES, LABELS, 3, draw_mix(config, (12, 20), generator(seed)))


@pytest.mark.parametrize("config", [MIXUP, CUTMIX, BOTH])
@pytest.mark.parametrize("seed", range(8))
def test_the_label_of_an_image_is_the_share_of_its_parts(config, seed):
    images, labels = mixed(config, seed)
    for own, other in ((0, 3), (1, 0), (2, 1), (3, 2)):
        value, other_value = float(IMAGES[own].mean()), float(IMAGES[other].mean())
        share = (float(images[own].mean()) - other_value) / (value - other_value)
        expected = torch.zeros(3)
        expected[LABELS[own]] += share
        expected[LABELS[other]] += 1 - share
        torch.testing.assert_close(labels[own], expected)
        assert 0.5 <= share <= 1


def test_mixup_averages_and_cutmix_pastes_a_rectangle():
    assert len(mixed(MIXUP).images[1].unique()) == 1
    pasted = mixed(CUTMIX, seed=3).images[1, 0] == 1.0
    rows, columns = pasted.any(1), pasted.any(0)
    assert 0 < pasted.sum() < pasted.numel()
    assert torch.equal(pasted, rows[:, None] & columns[None, :])
    for line in (rows, columns):
        assert int(line.int().diff().abs().sum()) <= 2  # one piece


def test_the_same_state_mixes_the_same_and_another_one_differently():
    assert torch.equal(mixed(BOTH, 1).images, mixed(BOTH, 1).images)
    assert not torch.equal(mixed(BOTH, 1).images, mixed(BOTH, 2).images)


def test_with_both_each_batch_takes_one_of_them():
    averaged = [len(mixed(BOTH, seed).images[1].unique()) == 1 for seed in range(40)]
    assert 8 < sum(averaged) < 32


@pytest.mark.parametrize(("alpha", "least", "most"), [(0.1, 0.93, 1.0), (1.0, 0.7, 0.8)])
def test_a_small_alpha_mixes_little(alpha, least, most):
    shares = [float(mixed(AugmentConfig(mixup=alpha), seed).labels.max(1).values[1]) for seed in range(200)]
    assert least < sum(shares) / len(shares) < most


def test_nothing_is_mixed_by_default():
    assert not AugmentConfig().mixes
    assert MIXUP.mixes and CUTMIX.mixes
