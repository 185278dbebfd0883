"""Files to read: small networks as others write them, and the real features where they are."""

import os
from pathlib import Path

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


@pytest.fixture(scope="session")
def real_features():
    """VGG16's convolutions as Simonyan and Zisserman trained them; skipped where the file is not."""
    shared = Path(os.environ.get("VERYDEEP_SHARED") or Path(__file__).parents[3] / "shared")
    file = shared / "weights" / "vgg16-imagenet-features.safetensors"
    if not file.is_file():
        pytest.skip(f"there is no {file}; VERYDEEP_SHARED may name its folder")
    return file
