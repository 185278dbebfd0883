"""Weight files of a small network, as other projects write them."""

import pytest
import torch

from .plain_models import PlainVgg, randomized


@pytest.fixture(scope="session")
def vgg():
    """A small plain VGG with random values in all tensors."""
    return randomized(PlainVgg([8, 8, "M", 16, "M"]))


@pytest.fixture
def vgg_file(vgg, tmp_path):
    """Its state dict, saved with torch."""
    torch.save(vgg.state_dict(), tmp_path / "vgg.pth")
    return tmp_path / "vgg.pth"
