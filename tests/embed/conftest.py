"""A tiny network, and images of three colors."""

import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint

COLORS = {"red": (220, 30, 20), "green": (30, 200, 40), "blue": (20, 40, 230)}


@pytest.fixture
def checkpoint():
    torch.manual_seed(0)
    model = build(Architecture.from_string("16 M 24 | gap 6", "tiny", input=(3, 12, 12), classes=2))
    return Checkpoint(model.eval(), Preprocess(size=12, mean=(0.5,) * 3, std=(0.5,) * 3), ("a", "b"))


@pytest.fixture
def folder(tmp_path):
    """Three colors in four shades each, and a truncated file."""
    for name, color in COLORS.items():
        for shade in range(4):
            path = tmp_path / "images" / name / f"{shade}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (14 + shade, 20), tuple(value - 5 * shade for value in color)).save(path)
    (tmp_path / "images" / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    return tmp_path / "images"
