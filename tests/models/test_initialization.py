"""Weight initialization, against the variances in the papers."""

import pytest
import torch
from torch import nn

from verydeep.architecture.architecture import Architecture
from verydeep.errors import ArchitectureError
from verydeep.models.build import build
from verydeep.models.initialization import initialize_from_shallower

NET = Architecture.from_string("64 128 M | gap 256", norm="batch", input=(3, 8, 8), classes=10)


def layers(init):
    torch.manual_seed(0)
    model = build(NET, init)
    model.requires_grad_(False)
    return [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def test_he_keeps_the_variance_of_gradients():  # He et al. 2015, eq. 14: 2 / fan_out
    first, second, hidden, classes = layers("he")
    assert first.weight.var() == pytest.approx(2 / (9 * 64), rel=0.1)
    assert second.weight.var() == pytest.approx(2 / (9 * 128), rel=0.05)
    assert hidden.weight.var() == pytest.approx(2 / 128, rel=0.05)
    assert classes.weight.std() == pytest.approx(0.01, rel=0.1)


def test_glorot_is_uniform_between_its_bounds():  # Glorot and Bengio 2010, eq. 16
    second = layers("glorot")[1]
    bound = (6 / (9 * 64 + 9 * 128)) ** 0.5
    assert 0.99 * bound < second.weight.abs().max() <= bound


@pytest.mark.parametrize("std", [0.1, 0.01])
def test_the_papers_normal(std):
    for module in layers(f"normal-{std}"):
        assert module.weight.std() == pytest.approx(std, rel=0.1)
        assert not module.bias.any()


def test_the_same_seed_gives_the_same_network():
    assert torch.equal(layers("he")[1].weight, layers("he")[1].weight)


def test_batch_norms_are_initialized_as_the_identity():
    norm = next(module for module in build(NET).modules() if isinstance(module, nn.BatchNorm2d))
    assert (norm.weight == 1).all() and not norm.bias.any() and not norm.running_mean.any()


def test_a_deeper_network_is_initialized_from_a_shallower_one():  # VGG, section 3.1
    shallow = build(Architecture.from_string("8 M 16 16 M 32 32 M | gap 20", input=(1, 16, 16), classes=4))
    deep = build(Architecture.from_string("8 M 16 16 16 M 32x3 M | gap 20", input=(1, 16, 16), classes=4))
    last = deep.features[12].weight.clone()
    copied = initialize_from_shallower(deep, shallow)
    assert copied == ("features.0", "features.3", "features.5", "classifier.3", "classifier.0")
    assert torch.equal(deep.features[5].weight, shallow.features[5].weight)
    assert torch.equal(deep.features[12].weight, last)


def test_initialization_from_a_network_with_no_equal_shape_is_an_error():
    a = build(Architecture.from_string("8 | gap", "a", input=(1, 8, 8), classes=4))
    b = build(Architecture.from_string("6 | gap", "b", input=(1, 8, 8), classes=3))
    with pytest.raises(ArchitectureError, match="cannot initialize a from b"):
        initialize_from_shallower(a, b)
