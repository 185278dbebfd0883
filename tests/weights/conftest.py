"""Files to read: small networks as others write them."""

import pytest
import torch

from .plain import PlainVgg, drawn


@pytest.fixture(scope="session")
def vgg():
    """A small plain VGG, all its numbers drawn."""
    return drawn(PlainVgg([8, 8, "M", 16, "M"]))


@pytest.fixture
def vgg_file(vgg, tmp_path):
    """Its state dict as torch saves it."""
    torch.save(vgg.state_dict(), tmp_path / "vgg.pth")
    return tmp_path / "vgg.pth"
