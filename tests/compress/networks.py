"""Tiny networks with random weights and images, for the tests of compression."""

import torch
from torch import nn

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.compress.calibration import Calibration
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint

PREPROCESS = Preprocess(size=16, mean=(0.5, 0.5, 0.5), std=(0.3, 0.3, 0.3))
CLASSES = ("a", "b", "c", "d")


def checkpoint(string, **settings):
    """A network for color images of 16 px; the statistics of its norms are random too."""
    torch.manual_seed(0)
    model = build(Architecture.from_string(string, input=(3, 16, 16), classes=4, **settings)).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.bias)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return Checkpoint(model, PREPROCESS, CLASSES, {"data": "synthetic"})


def calibration(count, seed=0):
    """Smooth random images: neighboring pixels are alike, as in photographs."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    pixels = nn.functional.interpolate(coarse, (16, 16), mode="bilinear") * 255
    return Calibration(pixels=pixels.round().to(torch.uint8))
