"""The projects that weights are exported for: their networks and file formats."""

from typing import Literal

Project = Literal["torchvision", "timm", "keras"]

_VGG = tuple(f"vgg{depth}{norm}" for norm in ("", "_bn") for depth in (11, 13, 16, 19))
_RESNET = tuple(f"resnet{depth}" for depth in (18, 34, 50, 101, 152))
NETWORKS: dict[Project, tuple[str, ...]] = {
    "torchvision": (*_VGG, "alexnet", *_RESNET),
    "timm": (*_VGG, *_RESNET),
    "keras": ("vgg16", "vgg19"),
}
"""The networks of the zoo that each project has too."""

SUFFIXES: dict[Project, tuple[str, ...]] = {
    "torchvision": (".pth", ".pt", ".safetensors"),
    "timm": (".safetensors", ".pth", ".bin"),
    "keras": (".h5",),
}
"""The file formats that can be written for each, the usual one first."""
