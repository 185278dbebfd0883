"""What the papers call each layer: the one naming, for tables, taps and the command.

VGG and ResNet number by stage, ``conv3_2`` and ``pool3``; AlexNet numbers through, ``conv1`` to ``conv5``.
What belongs to a layer bears its number: ``bn3_2``, ``relu3_2``, ``relu6`` after ``fc6``.
"""

from itertools import chain

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Conv, Layer, LocalNorm, MaxPool, Residual


def layer_names(architecture: Architecture) -> tuple[str, ...]:
    """A name for each layer, as the papers have it.

    VGG and ResNet number by stage, ``conv3_2`` and ``pool3``; where all pools overlap, as in AlexNet,
    convolutions are numbered through, ``conv1`` to ``conv5``, and a pool bears the number before it.
    A single convolution ahead of residual blocks, or with a large kernel, is the stem: ``conv1``. A second
    pool or norm in a stage, which no paper has, is ``pool1_2``: each name stands for one layer.
    """
    named: list[str] = []
    for layer, (stage, index) in zip(architecture.layers, _numbers(architecture), strict=True):
        match layer:
            case Conv() | Residual():
                named.append(f"conv{stage}_{index}" if index else f"conv{stage}")
            case MaxPool():
                named.append(_next(f"pool{stage}", named))
            case LocalNorm():
                named.append(_next(f"norm{stage}", named))
    return tuple(named)


def _next(name: str, named: list[str]) -> str:
    again = sum(other == name or other.startswith(f"{name}_") for other in named)
    return f"{name}_{again + 1}" if again else name


def fc_names(architecture: Architecture) -> tuple[str, ...]:
    """``fc6 fc7 fc8`` after five stages; ``fc`` where no hidden layer comes before the classes."""
    hidden = len(architecture.head.hidden)
    if not hidden:
        return ("fc",)
    stages = _numbers(architecture)[-1][0]
    return tuple(f"fc{stages + 1 + number}" for number in range(hidden + 1))


def grid_name(architecture: Architecture) -> str:
    """``gap`` or ``avgpool7``: the pool with which the head begins."""
    grid = architecture.head.grid
    return "gap" if grid == 1 else f"avgpool{grid}"


def derived_name(name: str, kind: str) -> str:
    """The name of what belongs to the layer ``name``: its ``bn``, ``relu``, ``add`` or ``drop``."""
    return kind + name.removeprefix("conv").removeprefix("fc")


def stage_starts(architecture: Architecture) -> tuple[int, ...]:
    """The place in ``layers`` at which each stage begins: 0, after a pool, at a stride, where blocks begin.

    VGG has five stages, one from each pool to the next; ResNet its stem and the papers' conv2_x to conv5_x.
    """
    layers = architecture.layers
    befores = chain([None], layers)
    opened = (place for place, pair in enumerate(zip(befores, layers, strict=False)) if _opens_stage(*pair))
    return (0, *opened)


def _numbers(architecture: Architecture) -> list[tuple[int, int]]:
    """Stage and place in it of each layer; place 0 where the stage's number says all."""
    if _numbered_through(architecture.layers):
        return _numbers_through(architecture.layers)
    return _numbers_by_stage(architecture.layers)


def _numbered_through(layers: tuple[Layer, ...]) -> bool:
    pools = [layer for layer in layers if isinstance(layer, MaxPool)]
    return len(pools) > 1 and all(pool.kernel > pool.stride for pool in pools)


def _numbers_through(layers: tuple[Layer, ...]) -> list[tuple[int, int]]:
    numbers, stage = [], 0
    for layer in layers:
        stage += isinstance(layer, Conv | Residual)
        numbers.append((stage, 0))
    return numbers


def _numbers_by_stage(layers: tuple[Layer, ...]) -> list[tuple[int, int]]:
    numbers: list[tuple[int, int]] = []
    stage, index, before = 1, 0, None
    for layer, after in zip(layers, chain(layers[1:], [None]), strict=True):
        if _opens_stage(before, layer):
            stage, index = stage + 1, 0
        if isinstance(layer, Conv | Residual):
            index += 1
            numbers.append((stage, 0 if _is_stem(before, layer, after) else index))
        else:
            numbers.append((stage, 0))
        before = layer
    return numbers


def _opens_stage(before: Layer | None, layer: Layer) -> bool:
    """After a pool; at a stride; and where blocks begin."""
    if before is None or isinstance(layer, MaxPool | LocalNorm):
        return False
    if isinstance(before, MaxPool) or layer.stride > 1:
        return True
    return isinstance(layer, Residual) and isinstance(before, Conv)


def _is_stem(before: Layer | None, layer: Conv | Residual, after: Layer | None) -> bool:
    return before is None and isinstance(layer, Conv) and (layer.kernel > 3 or isinstance(after, Residual))
