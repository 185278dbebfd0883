"""Receptive fields: which square of the image a value of a feature map depends on.

``analyze.trace`` computes sizes from the architecture; this module adds positions, from the modules, for
every layer name of ``taps``. Araujo et al. 2019 (Distill, "Computing receptive fields of convolutional neural
networks"), eq. 2 and the recurrences after it.
"""

from dataclasses import dataclass

from torch import nn

from verydeep.architecture.layer_names import grid_name
from verydeep.models.classifier import Classifier
from verydeep.models.feature_steps import IMAGES, feature_steps

Box = tuple[int, int, int, int]
"""Top, left, bottom and right in px of the image, the last two exclusive; it may reach outside the image."""


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive fields of the values of one layer, in px of the image."""

    size: int = 1
    """Side of the square."""
    jump: int = 1
    """Distance between the receptive fields of neighboring values: the product of all strides."""
    start: int = 0
    """The first px of the first value's receptive field; negative where it begins in the padding."""

    def box(self, row: int, column: int) -> Box:
        """The square that the value at ``row`` and ``column`` of the map depends on, with padding."""
        top, left = (self.start + index * self.jump for index in (row, column))
        return top, left, top + self.size, left + self.size


def receptive_fields(model: Classifier) -> dict[str, ReceptiveField]:
    """The receptive field of each layer before the head, by the names of ``taps``, in order.

    The sum of a residual block has the receptive field of the body, which is larger than the shortcut's.
    """
    by_name, head = {IMAGES: ReceptiveField()}, grid_name(model.architecture)
    for step in feature_steps(model):
        if step.name == head:
            break
        largest = max((by_name[name] for name in step.inputs), key=lambda one: one.size)
        by_name[step.name] = _after(largest, step.module)
    del by_name[IMAGES]
    return by_name


def _after(before: ReceptiveField, module: nn.Module) -> ReceptiveField:
    """The receptive field after ``module``; only convolutions and max pools make it larger."""
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d):
        return before
    kernel, stride, padding = (_side(value) for value in (module.kernel_size, module.stride, module.padding))
    return ReceptiveField(
        before.size + (kernel - 1) * before.jump, before.jump * stride, before.start - padding * before.jump
    )


def _side(value: object) -> int:
    """Of a square window: torch stores a number for a pool, and a pair for a convolution."""
    side = value[0] if isinstance(value, tuple) else value
    assert isinstance(side, int)
    return side
