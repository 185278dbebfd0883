"""Networks whose evidence is known: one that is made by hand, and one that is trained on what it is told."""

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

SEEN = Preprocess(size=SIDE, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))  # black is 0


@pytest.fixture
def colors() -> Checkpoint:
    """Says red where there is more red than green, and green where there is more green; made by hand."""
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
    return Checkpoint(model.eval(), SEEN, ("red", "green"))


@pytest.fixture
def red_left() -> torch.Tensor:
    """A red square to the left, a green one to the right, (1, 3, 24, 24)."""
    pixels = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)
    pixels[:, 0, 8:16, 2:10] = 200
    pixels[:, 1, 8:16, 14:22] = 200
    return pixels


@pytest.fixture(scope="session")
def learned() -> Checkpoint:
    """Trained for seconds to name a texture wherever it lies."""
    torch.manual_seed(0)
    model = build(
        Architecture.from_string("8k5 M 16 M | gap", "learned", input=(3, SIDE, SIDE), classes=3)
    ).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(80):
        pixels, labels, _ = textures(48)
        loss = functional.cross_entropy(model(normalize(pixels, SEEN)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    return Checkpoint(model.eval(), SEEN, NAMES)


@pytest.fixture
def drawn() -> Callable[..., Checkpoint]:
    """A network of any line with weights that are drawn, and no bias at zero."""

    def make(line: str, classes: int = 3, size: int = 16, **settings: object) -> Checkpoint:
        torch.manual_seed(0)
        model = build(Architecture.from_string(line, input=(3, size, size), classes=classes, **settings))
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.uniform_(module.bias, -0.1, 0.1)
        seen = Preprocess(size=size, mean=(0.5,) * 3, std=(0.25,) * 3)
        return Checkpoint(model.eval(), seen, tuple("abcdefgh"[:classes]))

    return make
