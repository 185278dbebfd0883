"""Why 3x3: a large kernel against the stack of 3x3 that sees as far (VGG, section 2.3), by the same trace."""

from dataclasses import dataclass

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture

LARGE = (5, 7)
"""The kernels that a stack is held against: two 3x3 see 5 px, three see 7."""
SIDE = 32
"""Px of the map that the MACs are counted on; weights and fields do not depend on it."""

_NUMBERS = {1: "one", 2: "two", 3: "three"}


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Convolutions in a row, from ``channels`` maps to as many."""

    what: str
    architecture_string: str
    convs: int
    """And as many ReLUs."""
    weights: int
    """Without biases."""
    macs: int
    receptive_field: int
    fewer: float
    """The share of the large kernel's weights that is saved: 0 for the large kernel itself."""


def why_3x3(channels: int = 64) -> tuple[Stack, ...]:
    """5x5, then two 3x3; 7x7, then three 3x3; each on ``channels`` maps."""
    stacks: list[Stack] = []
    for kernel in LARGE:
        single = _stack(channels, kernel, 1, 0)
        stacks += [single, _stack(channels, 3, (kernel - 1) // 2, single.weights)]
    return tuple(stacks)


def _stack(channels: int, kernel: int, convs: int, large: int) -> Stack:
    """``convs`` convolutions; ``large`` are the weights of the kernel they stand for."""
    line = f"{channels}k{kernel}x{convs} | gap"
    architecture = Architecture.from_string(line, input=(channels, SIDE, SIDE))
    rows = [row for row in trace(architecture).layers if row.kind == "conv"]
    weights = sum(row.weights for row in rows)
    return Stack(
        what=f"{_NUMBERS[convs]} {kernel}x{kernel}",
        architecture_string=architecture.string,
        convs=convs,
        weights=weights,
        macs=sum(row.macs for row in rows),
        receptive_field=rows[-1].receptive_field,
        fewer=1 - weights / large if large else 0.0,
    )
