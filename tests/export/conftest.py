"""Small networks with random statistics, and photographs to classify."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint

STRINGS = {
    "gap": ("8 M 16 M | gap", {"norm": "batch", "conv_bias": False}),
    "after pool": ("8 M 16 M | gap", {"norm": "batch-after-pool"}),
    "pool": ("8 M 16 M | pool4 12", {}),
    "residual": ("8 (8 8) (16s2 16) | gap", {"norm": "batch", "conv_bias": False}),
    "local norm": ("8 L M 16 | pool2 12", {}),
}


def make_network(name: str, channels: int = 3, size: int = 24) -> Checkpoint:
    """The network ``name`` with three classes and a temperature."""
    string, settings = STRINGS[name]
    torch.manual_seed(0)
    architecture = Architecture.from_string(string, input=(channels, size, size), classes=3, **settings)
    model = build(architecture).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.normal_(module.weight)
    statistics = {"mean": (0.4,) * channels, "std": (0.3,) * channels}
    preprocess = Preprocess(size=size, channels=channels, resize=28, **statistics)
    return Checkpoint(model, preprocess, ("a", "b", "고양이"), {"temperature": 1.5, "seed": 3})


@pytest.fixture
def photographs(tmp_path):
    """Three pictures of other sizes than the network's, and a broken one."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number, (height, width) in enumerate([(40, 60), (31, 29), (24, 24)]):
        coarse = random.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height)).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder
