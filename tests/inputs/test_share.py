"""A rank's share of a batch has the bits of the whole batch, whichever augmentations are on."""

import pytest
import torch

from tests.train.shapes import PREPROCESS, TRAIN
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.inputs.frozen_features import FrozenFeatures
from verydeep.inputs.pixels_in_memory import PixelsInMemory
from verydeep.inputs.share import WHOLE, Share

EVERYTHING = AugmentConfig(flip="random", crop=0.5, color=0.3, shift=2, cutout=3, mixup=0.4, cutmix=1.0)
PLAN = torch.randperm(len(TRAIN), generator=torch.Generator().manual_seed(3)).split(22)[:7]


@pytest.mark.parametrize("images", [1, 7, 8, 22])
@pytest.mark.parametrize(("slices", "ranks"), [(1, 1), (2, 2), (4, 2), (6, 3)])
def test_shares_are_the_slices_of_tensor_split(images, slices, ranks):
    batch, parts = torch.arange(images), []
    for rank in range(ranks):
        share = Share(slices=slices, ranks=ranks, rank=rank)
        parts += batch[share.rows(images)].split(share.slice_sizes(images))
    expected = batch.tensor_split(slices)
    assert [part.tolist() for part in parts] == [part.tolist() for part in expected]


@pytest.mark.parametrize("config", [EVERYTHING, AugmentConfig(flip="alternating", mixup=0.4), None])
def test_shares_of_pixels_make_up_the_whole_batch(config):
    source = PixelsInMemory(
        images=TRAIN, preprocess=PREPROCESS, device=torch.device("cpu"), augment=config, seed=5
    )
    for slices, ranks in ((1, 1), (4, 2), (4, 4)):
        whole = list(source.batches(PLAN, 1, 2, Share(slices=slices)))
        shares = [
            list(source.batches(PLAN, 1, 2, Share(slices=slices, ranks=ranks, rank=rank)))
            for rank in range(ranks)
        ]
        for batch, *parts in zip(whole, *shares, strict=True):
            assert torch.equal(batch.inputs, torch.cat([part.inputs for part in parts]))
            assert torch.equal(batch.labels, torch.cat([part.labels for part in parts]))


def test_shares_of_feature_maps_make_up_the_whole_batch():
    source = FrozenFeatures(
        maps=torch.randn(2, len(TRAIN), 4, 3, 3), labels=TRAIN.labels, classes=3, flip="random", seed=1,
        device=torch.device("cpu"),
    )  # fmt: skip
    whole = list(source.batches(PLAN, 0, 0, WHOLE))
    shares = [list(source.batches(PLAN, 0, 0, Share(slices=3, ranks=3, rank=rank))) for rank in range(3)]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert torch.equal(batch.inputs, torch.cat([part.inputs for part in parts]))


def test_the_plan_may_begin_anywhere_in_the_epoch():
    source = PixelsInMemory(
        images=TRAIN, preprocess=PREPROCESS, device=torch.device("cpu"), augment=EVERYTHING
    )
    whole = list(source.batches(PLAN, 0, 0))
    rest = list(source.batches(PLAN[4:], 0, 4))
    assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(whole[4:], rest, strict=True))
