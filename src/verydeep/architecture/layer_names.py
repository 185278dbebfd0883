"""Layer names as in the papers: one naming for tables, intermediate features and the command line.

VGG and ResNet number layers by stage, ``conv3_2`` and ``pool3``; AlexNet numbers them in sequence, ``conv1``
to ``conv5``. A norm or ReLU has the number of its layer: ``bn3_2``, ``relu3_2``, ``relu6`` after ``fc6``.
"""

from itertools import chain

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Conv, Layer, LocalNorm, MaxPool, Residual


def layer_names(architecture: Architecture) -> tuple[str, ...]:
    """A name for each layer, as in the papers.

    VGG and ResNet number layers by stage, ``conv3_2`` and ``pool3``. Where all pools overlap, as in AlexNet,
    convolutions are numbered in sequence, ``conv1`` to ``conv5``, and a pool has the number before it. The
    first convolution is the stem, ``conv1``, if residual blocks follow it or its kernel is larger than 3. A
    second pool or norm in a stage, which no paper has, is ``pool1_2``: names are unique.
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
    count = sum(other == name or other.startswith(f"{name}_") for other in named)
    return f"{name}_{count + 1}" if count else name


def fc_names(architecture: Architecture) -> tuple[str, ...]:
    """``fc6 fc7 fc8`` after five stages; ``fc`` where the head has no hidden layer."""
    hidden = len(architecture.head.hidden)
    if not hidden:
        return ("fc",)
    stages = _numbers(architecture)[-1][0]
    return tuple(f"fc{stages + 1 + number}" for number in range(hidden + 1))


def grid_name(architecture: Architecture) -> str:
    """``gap`` or ``avgpool7``: the pool at the start of the head."""
    grid = architecture.head.grid
    return "gap" if grid == 1 else f"avgpool{grid}"


def derived_name(name: str, kind: str) -> str:
    """The name of the ``bn``, ``relu``, ``add`` or ``drop`` that belongs to the layer ``name``."""
    return kind + name.removeprefix("conv").removeprefix("fc")


def last_map_name(architecture: Architecture) -> str:
    """The name of the last feature map, which the head pools: ``pool5`` in VGG, ``conv5_3`` in ResNet-50.

    After a convolution it is that of its ReLU, which may run after a last pool.
    """
    names = layer_names(architecture)
    last = len(names) - 1
    conv = last - 1 if last in architecture.norms_after_pool else last
    return derived_name(names[conv], "relu") if isinstance(architecture.layers[conv], Conv) else names[last]


def stage_starts(architecture: Architecture) -> tuple[int, ...]:
    """The index in ``layers`` of the first layer of each stage.

    A stage starts at index 0, after a pool, at a stride above 1, and at the first residual block. VGG has
    five stages, one from each pool to the next; ResNet has its stem and the papers' conv2_x to conv5_x.
    """
    layers = architecture.layers
    previous = chain([None], layers)
    starts = (index for index, pair in enumerate(zip(previous, layers, strict=False)) if _starts_stage(*pair))
    return (0, *starts)


def _numbers(architecture: Architecture) -> list[tuple[int, int]]:
    """The stage of each layer, and its number in the stage; 0 where the name has the stage only."""
    if _has_sequential_numbers(architecture.layers):
        return _numbers_in_sequence(architecture.layers)
    return _numbers_by_stage(architecture.layers)


def _has_sequential_numbers(layers: tuple[Layer, ...]) -> bool:
    pools = [layer for layer in layers if isinstance(layer, MaxPool)]
    return len(pools) > 1 and all(pool.kernel > pool.stride for pool in pools)


def _numbers_in_sequence(layers: tuple[Layer, ...]) -> list[tuple[int, int]]:
    numbers, stage = [], 0
    for layer in layers:
        stage += isinstance(layer, Conv | Residual)
        numbers.append((stage, 0))
    return numbers


def _numbers_by_stage(layers: tuple[Layer, ...]) -> list[tuple[int, int]]:
    numbers: list[tuple[int, int]] = []
    stage, index, before = 1, 0, None
    for layer, after in zip(layers, chain(layers[1:], [None]), strict=True):
        if _starts_stage(before, layer):
            stage, index = stage + 1, 0
        if isinstance(layer, Conv | Residual):
            index += 1
            numbers.append((stage, 0 if _is_stem(before, layer, after) else index))
        else:
            numbers.append((stage, 0))
        before = layer
    return numbers


def _starts_stage(before: Layer | None, layer: Layer) -> bool:
    """After a pool, at a stride above 1, and at the first residual block."""
    if before is None or isinstance(layer, MaxPool | LocalNorm):
        return False
    if isinstance(before, MaxPool) or layer.stride > 1:
        return True
    return isinstance(layer, Residual) and isinstance(before, Conv)


def _is_stem(before: Layer | None, layer: Conv | Residual, after: Layer | None) -> bool:
    return before is None and isinstance(layer, Conv) and (layer.kernel > 3 or isinstance(after, Residual))
