"""Folding keeps the logits, and leaves a norm where folding would not be exact."""

import pytest
import torch
from torch import nn

from verydeep.architecture.architecture import Architecture
from verydeep.models.build import build
from verydeep.models.fold_batch_norm import folded


def network(string, norm, positive=True):
    torch.manual_seed(0)
    model = build(
        Architecture.from_string(string, norm=norm, conv_bias=norm != "batch", input=(3, 16, 16), classes=4)
    )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.bias)
            nn.init.uniform_(module.weight, 0.5 if positive else -1.0, 1.5)
    return model.eval()


def norms(model):
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize(
    ("string", "norm"),
    [
        ("8 M 16x2 M | gap", "batch"),
        ("8 M 16x2 M | pool2 12", "batch-after-pool"),
        ("8 (8 8) (16s2 16) | gap", "batch"),
    ],
)
def test_logits_stay_equal_without_any_norm(string, norm):
    model = network(string, norm)
    images = torch.randn(3, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(folded(model)(images), model(images))
    assert norms(folded(model)) == 0 < norms(model)


def test_a_negative_scale_after_a_max_pool_is_not_folded():
    model = network("8 M 16 | gap", "batch-after-pool", positive=False)
    images = torch.randn(3, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(folded(model)(images), model(images))
    assert norms(folded(model)) == 1


def test_the_given_network_does_not_change():
    model = network("8 M | gap", "batch").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded(model)
    assert model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
