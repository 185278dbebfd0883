"""What is known of published weights from the outside: what their network sees, and the names of classes."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from torch import Tensor

from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET, Preprocess

_V2 = replace(IMAGENET, resize=232)

FILES = {
    "resnet50-11ad3fa6": _V2,
    "resnet101-cd907fc2": _V2,
    "resnet152-f82ba261": _V2,
    "vgg16_features-amdegroot-88682ab5": CAFFE_RGB,
}
"""torchvision's files that see other images than the layout says; a name ends in the hash's first digits."""

OXFORD_VGG16 = "ae2da5ecbf928578dd7088d3049fa43d79f0c69cedc39305893902a0ba43432b"
"""SHA-256 of the first convolution's weights, fp32 in RGB order, as Simonyan and Zisserman released them."""


STATED = "the file, which states it"


def stated(text: Mapping[str, str], convention: Preprocess) -> tuple[Preprocess, str] | None:
    """The convention with the mean and std of a safetensors text such as ``{"mean": "0.4,0.4,0.4", ...}``.

    Both are for RGB from 0 to 1; None where the text has them not, or in another form.
    """
    try:
        mean, std = (tuple(float(number) for number in text[name].split(",")) for name in ("mean", "std"))
        return replace(convention, mean=mean, std=std, order="rgb", scale=1.0), STATED
    except (KeyError, ValueError):  # a ArchitectureError is a ValueError
        return None


def preprocess_of(path: Path, stem: Tensor, convention: Preprocess, layout: str) -> tuple[Preprocess, str]:
    """What the network of a file sees, and how that is known.

    Args:
        path: the file; torchvision's names tell some weights from others.
        stem: the weights of the first convolution, (outputs, inputs, rows, columns).
        convention: what networks of this layout see as a rule.
        layout: its name.
    """
    if path.stem in FILES:
        return FILES[path.stem], "the name of the file"
    if fingerprint(stem) == OXFORD_VGG16:
        return CAFFE_RGB, "the first convolution: Oxford's, turned to RGB"
    if fingerprint(stem.flip(1)) == OXFORD_VGG16:
        return CAFFE, "the first convolution: Oxford's"
    return convention, f"the convention of the {layout} layout"


def fingerprint(tensor: Tensor) -> str:
    """SHA-256 of the values in fp32, in hex."""
    return hashlib.sha256(tensor.float().contiguous().numpy().tobytes()).hexdigest()


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The names of ImageNet's 1000 classes in the order of ILSVRC 2012, each different from the others."""
    lines = files("verydeep.weights").joinpath("imagenet.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


def class_names(count: int) -> tuple[str, ...]:
    """ImageNet's names for 1000 classes, else numbers: a foreign file names none."""
    return imagenet_classes() if count == 1000 else numbered_classes(count)


def numbered_classes(count: int) -> tuple[str, ...]:
    """``class 0``, ``class 1``, ...: names where there are none."""
    return tuple(f"class {number}" for number in range(count))
