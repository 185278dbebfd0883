"""The class names of a network whose weight file does not name its classes."""

from functools import cache
from importlib.resources import files


def class_names(count: int) -> tuple[str, ...]:
    """The names of the ImageNet classes for 1000 classes, otherwise numbered names."""
    return imagenet_classes() if count == 1000 else numbered_classes(count)


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The names of the 1000 ImageNet classes in the order of ILSVRC 2012; no two are equal."""
    lines = files("verydeep.weights").joinpath("imagenet.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


def numbered_classes(count: int) -> tuple[str, ...]:
    """``class 0``, ``class 1``, ..."""
    return tuple(f"class {number}" for number in range(count))
