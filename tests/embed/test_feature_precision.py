"""The precision of features: as asked for, or bf16 where the machine has it and the features agree."""

import pytest
import torch
from PIL import Image

from verydeep.architecture.preprocess import Preprocess
from verydeep.data import synthetic
from verydeep.embed import feature_precision
from verydeep.embed.feature_precision import FeaturePrecision, choose_feature_precision

PREPROCESS = Preprocess(size=8, mean=(0.5,) * 3, std=(0.25,) * 3)
CPU = torch.device("cpu")


@pytest.fixture
def sources(tmp_path):
    """Ten small images."""
    for number, picture in enumerate(synthetic.shapes(10, size=8, channels=3, classes=3).pixels):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / f"{number}.png")
    return sorted(tmp_path.glob("*.png"))


@pytest.fixture
def bf16(monkeypatch):
    """A machine that computes with bf16."""
    monkeypatch.setattr(feature_precision, "has_bf16", lambda device: True)


def product(images):
    torch.manual_seed(0)
    return images.flatten(1) @ torch.randn(images[0].numel(), 16)


def choose(wanted, sources, compute=product):
    return choose_feature_precision(wanted, compute, sources, PREPROCESS, CPU)


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
def test_what_is_asked_for_is_taken_and_nothing_is_computed(bf16, sources, wanted):
    def fails(images):
        raise AssertionError("it was computed")

    assert choose(wanted, sources, fails) == FeaturePrecision(wanted)


def test_without_bf16_in_hardware_auto_is_fp32(monkeypatch, sources):
    monkeypatch.setattr(feature_precision, "has_bf16", lambda device: False)
    assert choose("auto", sources) == FeaturePrecision("fp32")


def test_auto_is_bf16_where_some_images_agree(bf16, sources):
    precision, reason = choose("auto", sources)
    assert precision == "bf16"
    assert reason.startswith("Features in bf16: features of 8 images differ by 0.")
    assert "--precision fp32" in reason


def test_auto_is_fp32_where_bf16_cancels(bf16, sources):
    def cancels(images):
        values = images.flatten(1)
        return values @ torch.full((values.shape[1], 1), 1000.0) - 1000 * values.sum(1, keepdim=True) + 1

    precision, reason = choose("auto", sources, cancels)
    assert precision == "fp32" and reason.startswith("Features in fp32: in bf16, features of 8 images differ")


def test_auto_is_fp32_where_features_are_not_finite(bf16, sources):
    assert choose("auto", sources, lambda images: product(images) / 0).precision == "fp32"


def test_auto_is_fp32_without_images_that_can_be_read(bf16, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    assert choose("auto", [broken]) == choose("auto", []) == FeaturePrecision("fp32")
