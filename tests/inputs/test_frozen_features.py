"""Cached feature maps are those that the frozen stages compute, of each image and of its mirror image."""

from dataclasses import replace

import pytest
import torch

from tests.train.shapes import FABRIC, FINE_TUNE, PREPROCESS, TRAIN, VAL, begin, network, train_on
from verydeep.data.normalize import normalize
from verydeep.errors import DataError
from verydeep.inputs.frozen_features import frozen_features
from verydeep.models.stages import split_at_stage

FROZEN_STAGE = replace(FINE_TUNE, freeze=1)


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_each_map_is_that_of_the_image_or_of_its_mirror_image(norm, monkeypatch):
    monkeypatch.setattr("verydeep.inputs.frozen_features.BATCH_PIXELS", 7 * PREPROCESS.size**2)
    model = network("8 M 16 M | gap", norm).model
    frozen, part = split_at_stage(model, 1)
    seen = []
    with frozen_features(
        frozen, TRAIN, VAL, PREPROCESS, FABRIC, flip="random", seed=0,
        computed=lambda done, total: seen.append((done, total)),
    ) as inputs:  # fmt: skip
        indices = torch.arange(40)
        maps = inputs.train.batch(indices, epoch=0, step=0).inputs
        plain = frozen(normalize(TRAIN.pixels[indices], PREPROCESS))
        flipped = frozen(normalize(TRAIN.pixels[indices].flip(-1), PREPROCESS))
        is_plain = torch.isclose(maps, plain, atol=1e-5).flatten(1).all(1)
        is_flipped = torch.isclose(maps, flipped, atol=1e-5).flatten(1).all(1)
        assert (is_plain ^ is_flipped).all()
        assert 8 < int(is_flipped.sum()) < 32  # about half of them
        expected = model(normalize(VAL.pixels, PREPROCESS))
        logits = part(inputs.val.batch(torch.arange(len(VAL)), 0, 0).inputs)
        assert torch.allclose(logits, expected, atol=1e-5)
        assert torch.equal(inputs.val.labels, VAL.labels) and inputs.val.classes == 3
    total = 2 * len(TRAIN) + len(VAL)
    assert seen[-1] == (total, total)
    assert seen[0] == (7, total)


def test_without_flips_each_map_is_computed_once():
    frozen, _ = split_at_stage(network().model, 1)
    totals = []
    with frozen_features(
        frozen, TRAIN, None, PREPROCESS, FABRIC, flip="none", seed=0,
        computed=lambda done, total: totals.append(total),
    ) as inputs:  # fmt: skip
        assert inputs.val is None
        assert len(inputs.train.maps) == 1
    assert set(totals) == {len(TRAIN)}


def test_maps_beyond_the_memory_limit_go_to_a_file_with_the_same_results():
    in_memory = train_on(begin(FROZEN_STAGE), FROZEN_STAGE)
    on_disk = train_on(begin(FROZEN_STAGE), FROZEN_STAGE, memory_limit=1000)
    assert [result.train_loss for result in in_memory] == [result.train_loss for result in on_disk]


def test_without_memory_and_disk_space_they_are_refused(monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})())
    with pytest.raises(
        DataError, match=r"of 400 images take 0\.0 GiB: more than the 0\.0 GiB .* Freeze fewer stages"
    ):
        train_on(begin(FROZEN_STAGE), FROZEN_STAGE, memory_limit=0)
