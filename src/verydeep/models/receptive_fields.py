"""Where in the image a value of a map looks: the place and the size of its receptive field.

``analyze.trace`` counts sizes from the spec; here is the place too, read from the modules, for every
name that ``taps`` takes. Araujo et al. 2019 (Distill, "Computing receptive fields of convolutional neural
networks"), eq. 2 and the recurrences after it.
"""

from dataclasses import dataclass

from torch import nn

from verydeep.architecture.layer_names import grid_name
from verydeep.models.classifier import Classifier
from verydeep.models.feature_extractor import IMAGES, steps_of

Box = tuple[int, int, int, int]
"""Top, left, bottom and right in px of the image, the last two exclusive; it may reach outside."""


@dataclass(frozen=True)
class Field:
    """What the values of one layer see of the image, in px a side."""

    size: int = 1
    jump: int = 1
    """Between the fields of neighboring values."""
    start: int = 0
    """The first px of the first value's field; below zero where padding stands before the image."""

    def box(self, row: int, column: int) -> Box:
        """The square that the value at ``row`` and ``column`` of the map sees, padding included."""
        top, left = (self.start + place * self.jump for place in (row, column))
        return top, left, top + self.size, left + self.size


def fields(model: Classifier) -> dict[str, Field]:
    """The field of each layer before the head, by the names of ``taps``, in the order in which they run.

    Where a shortcut meets the body of its block, the field is that of the body, which sees more.
    """
    found, head = {IMAGES: Field()}, grid_name(model.architecture)
    for step in steps_of(model):
        if step.name == head:
            break
        given = max((found[name] for name in step.reads), key=lambda field: field.size)
        found[step.name] = _through(given, step.module)
    del found[IMAGES]
    return found


def _through(field: Field, module: nn.Module) -> Field:
    """The field after ``module``; only windows that slide over places see further than what they read."""
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d):
        return field
    kernel, stride, padding = (_side(value) for value in (module.kernel_size, module.stride, module.padding))
    return Field(
        field.size + (kernel - 1) * field.jump, field.jump * stride, field.start - padding * field.jump
    )


def _side(value: object) -> int:
    """Of a square window: torch keeps a number for a pool, and a pair for a convolution."""
    side = value[0] if isinstance(value, tuple) else value
    assert isinstance(side, int)
    return side
