"""Networks whose evidence is known: one with weights set by hand, and one trained on textures."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import normalize
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint

from .textures import NAMES, SIDE, textures

PREPROCESS = Preprocess(size=SIDE, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))  # black is 0


@pytest.fixture
def colors() -> Checkpoint:
    """Predicts red if there is more red than green, else green; its weights are set by hand."""
    model = build(Architecture.from_string("2 2 | gap", "colors", input=(3, SIDE, SIDE), classes=2))
    first, second = (module for module in model.features if isinstance(module, nn.Conv2d))
    with torch.no_grad():
        for module in (first, second):
            module.weight.zero_()
            module.bias.zero_()
        first.weight[:, :, 1, 1] = torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])
        second.weight[:, :] = torch.eye(2)[:, :, None, None] / 9
        model.classifier[0].weight.copy_(torch.tensor([[10.0, -10.0], [-10.0, 10.0]]))
        model.classifier[0].bias.zero_()
    return Checkpoint(model.eval(), PREPROCESS, ("red", "green"))


@pytest.fixture
def red_left() -> torch.Tensor:
    """A red square on the left, a green one on the right, (1, 3, 24, 24)."""
    pixels = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)
    pixels[:, 0, 8:16, 2:10] = 200
    pixels[:, 1, 8:16, 14:22] = 200
    return pixels


@pytest.fixture(scope="session")
def trained() -> Checkpoint:
    """Trained for a few seconds to classify a texture at any position."""
    torch.manual_seed(0)
    model = build(
        Architecture.from_string("8k5 M 16 M | gap", "trained", input=(3, SIDE, SIDE), classes=3)
    ).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(80):
        pixels, labels, _ = textures(48)
        loss = functional.cross_entropy(model(normalize(pixels, PREPROCESS)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    return Checkpoint(model.eval(), PREPROCESS, NAMES)


@pytest.fixture
def random_network() -> Callable[..., Checkpoint]:
    """A function from an architecture string to a network with random weights and biases."""

    def make(string: str, classes: int = 3, size: int = 16, **settings: object) -> Checkpoint:
        torch.manual_seed(0)
        model = build(Architecture.from_string(string, input=(3, size, size), classes=classes, **settings))
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.uniform_(module.bias, -0.1, 0.1)
        preprocess = Preprocess(size=size, mean=(0.5,) * 3, std=(0.25,) * 3)
        return Checkpoint(model.eval(), preprocess, tuple("abcdefgh"[:classes]))

    return make
