"""The tensor layouts of other projects: how to convert a weight from a file, and back."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class TensorLayout:
    """How a file lays out a tensor, as two conversions."""

    name: str
    from_file: Callable[[Tensor], Tensor]
    to_file: Callable[[Tensor], Tensor]


SAME = TensorLayout("the same", lambda tensor: tensor, lambda tensor: tensor)
HWIO = TensorLayout(
    "HWIO", lambda kernel: kernel.permute(3, 2, 0, 1), lambda weight: weight.permute(2, 3, 1, 0)
)
TRANSPOSED = TensorLayout("inputs first", lambda kernel: kernel.t(), lambda weight: weight.t())


def as_convolution(channels: int, grid: int) -> TensorLayout:
    """A fully connected layer on maps of ``channels`` x ``grid`` x ``grid``, stored as a convolution."""
    return TensorLayout(
        "a convolution",
        lambda kernel: kernel.flatten(1),
        lambda weight: weight.reshape(-1, channels, grid, grid),
    )


def channels_last(channels: int, grid: int) -> TensorLayout:
    """A fully connected layer, inputs first, whose inputs are in the order height, width, channels."""
    return TensorLayout(
        "inputs first, in the order H, W, C",
        lambda kernel: kernel.reshape(grid, grid, channels, -1).permute(3, 2, 0, 1).flatten(1),
        lambda weight: weight.reshape(-1, channels, grid, grid).permute(2, 3, 1, 0).flatten(0, 2),
    )
