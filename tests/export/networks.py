"""Tiny checkpoints whose logits differ from image to image, and images for them."""

import numpy as np
import torch
from torch import nn

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.synthetic import shapes
from verydeep.export.check_images import CheckImages, GivenImages
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint

SIZE = 24


def checkpoint(string, *, channels=3, **settings):
    """A network with normal weights in its head, as training leaves them."""
    torch.manual_seed(0)
    architecture = Architecture.from_string(string, input=(channels, SIZE, SIZE), classes=3, **settings)
    model = build(architecture).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.normal_(module.weight)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight)
    preprocess = Preprocess(size=SIZE, channels=channels, mean=(0.4,) * channels, std=(0.3,) * channels)
    return Checkpoint(model, preprocess, ("a", "b", "고양이"), {"temperature": 1.5})


NETWORKS = {
    "gap": lambda channels: checkpoint("8 M 16 M | gap", norm="batch", conv_bias=False, channels=channels),
    "pool": lambda channels: checkpoint("8 M 16 M | pool2 8", channels=channels),
    "residual": lambda channels: checkpoint("8 (8 8) (16s2 16) | gap", norm="batch", channels=channels),
}


def drawings(channels, count=40):
    """Drawn shapes, half of them for calibration."""
    pixels = shapes(count, size=SIZE, channels=channels, seed=1).pixels.numpy()
    labels = np.zeros(count // 2, dtype=np.int64)
    return GivenImages(
        CheckImages(pixels[1::2], labels, "drawn shapes"), CheckImages(pixels[::2], labels, "drawn shapes")
    )
