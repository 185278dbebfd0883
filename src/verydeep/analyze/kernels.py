"""Why 3x3: a large kernel and a stack of 3x3 kernels with the same receptive field (VGG, section 2.3)."""

from dataclasses import dataclass

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture

LARGE_KERNELS = (5, 7)
"""The receptive field of two 3x3 is 5 px, that of three 3x3 is 7 px."""
SIDE = 32
"""Side of the feature map for the MACs, in px; weights and receptive fields do not depend on it."""

_NUMBERS = {1: "one", 2: "two", 3: "three"}


@dataclass(frozen=True, kw_only=True)
class KernelStack:
    """Consecutive convolutions with the same number of input and output channels."""

    name: str
    architecture_string: str
    convolutions: int
    """Also the number of ReLUs."""
    weights: int
    """Without biases."""
    macs: int
    receptive_field: int
    weight_reduction: float
    """1 - weights / weights of the large kernel: 0 for the large kernel itself."""


def why_3x3(channels: int = 64) -> tuple[KernelStack, ...]:
    """5x5, then two 3x3; 7x7, then three 3x3; each with ``channels`` input and output channels."""
    stacks: list[KernelStack] = []
    for kernel in LARGE_KERNELS:
        single = _stack(channels, kernel, 1)
        stacks += [single, _stack(channels, 3, (kernel - 1) // 2, single.weights)]
    return tuple(stacks)


def _stack(channels: int, kernel: int, convolutions: int, large_weights: int | None = None) -> KernelStack:
    """``large_weights`` are those of the large kernel that the stack replaces."""
    string = f"{channels}k{kernel}x{convolutions} | gap"
    architecture = Architecture.from_string(string, input=(channels, SIDE, SIDE))
    rows = [row for row in trace(architecture).layers if row.kind == "conv"]
    weights = sum(row.weights for row in rows)
    return KernelStack(
        name=f"{_NUMBERS[convolutions]} {kernel}x{kernel}",
        architecture_string=architecture.string,
        convolutions=convolutions,
        weights=weights,
        macs=sum(row.macs for row in rows),
        receptive_field=rows[-1].receptive_field,
        weight_reduction=1 - weights / large_weights if large_weights else 0.0,
    )
