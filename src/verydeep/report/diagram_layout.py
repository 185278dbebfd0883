"""Where the boxes of a diagram stand: a box a layer, as high as its map and as thick as its channels.

Heights go by a root of the side, thicknesses by a root of the channels, so that small maps can be seen.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from verydeep.analyze.trace import LayerRow, Trace, trace
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import layer_names
from verydeep.architecture.layers import Conv, Layer, Residual
from verydeep.tables.format import TIMES

MOST_BOXES = 64
HIGHEST, LOWEST = 220.0, 30.0
"""Of a box, in px of the picture: the largest map, and the limit of the smallest."""
THICKEST, THINNEST = 36.0, 9.0
PITCH = 19.0
"""The least between two layers, so that their names do not touch."""
SLANT = 0.17
"""How far a box recedes, up and to the right, for each px of its height."""
MARGIN = 28.0
STAGE_WIDTH = 78.0
"""The least of a stage, so that its size fits below."""


@dataclass(frozen=True)
class Box:
    """A layer: its front face, and how far it recedes."""

    name: str
    kind: str
    """The class of its color: conv, conv1, pool, norm, fc."""
    detail: str
    """What stands below its name: channels, and a kernel that is not 3x3."""
    title: str
    """What it says when pointed at."""
    size: str
    """Height and width of its map."""
    x: float
    width: float
    height: float
    depth: float
    times: int = 1


@dataclass(frozen=True)
class Arc:
    """A shortcut from before its block to behind it."""

    start: float
    end: float
    base: float
    top: float
    projects: bool
    times: int

    @property
    def middle(self) -> float:
        """Where its label stands."""
        return (self.start + self.end) / 2


@dataclass(frozen=True)
class Stage:
    """Layers on maps of one size."""

    start: float
    end: float
    size: str


@dataclass(frozen=True)
class Placed:
    """Everything that has a place. Heights count from the vertical middle of all boxes."""

    boxes: tuple[Box, ...]
    arcs: tuple[Arc, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class _Unit:
    """A layer of the line with its rows, and how many equal ones it stands for."""

    rows: tuple[LayerRow, ...]
    details: tuple[str, ...]
    is_block: bool
    projects: bool
    times: int = 1


def place(architecture: Architecture) -> Placed:
    """``architecture`` from left to right; equal layers once, where there are more than ``MOST_BOXES``."""
    traced = trace(architecture)
    units = list(_units(architecture, traced))
    if sum(len(unit.rows) for unit in units) > MOST_BOXES:
        units = list(_folded(units))
    return _placed(units, _Scales.of(traced))


def size_words(shape: Iterable[int]) -> str:
    """A shape as people write it."""
    return f" {TIMES} ".join(map(str, shape))


def _units(architecture: Architecture, traced: Trace) -> Iterator[_Unit]:
    rows = {row.name: row for row in traced.layers}
    for name, layer in zip(layer_names(architecture), architecture.layers, strict=True):
        if isinstance(layer, Residual):
            names = tuple(f"{name}_{number}" for number, _ in enumerate(layer.convs, start=1))
            details = tuple(_detail(conv) for conv in layer.convs)
            yield _Unit(tuple(rows[n] for n in names), details, True, f"{name}_project" in rows)
        else:
            yield _Unit((rows[name],), (_detail(layer),), False, False)
    for row in traced.layers:
        if row.kind == "fc" or row.name.startswith(("gap", "avgpool")):
            yield _Unit((row,), (f"{row.output[0]:,}",), False, False)


def _detail(layer: Layer) -> str:
    if not isinstance(layer, Conv):
        return ""
    kernel = "" if layer.kernel == 3 else f" {layer.kernel}{TIMES}{layer.kernel}"
    return f"{layer.channels}{kernel}" + (f" /{layer.stride}" if layer.stride > 1 else "")


def _folded(units: Sequence[_Unit]) -> Iterator[_Unit]:
    def alike(unit: _Unit) -> object:
        return unit.details, [(row.kind, row.output) for row in unit.rows], unit.projects

    for _, run in groupby(units, key=alike):
        first, *others = run
        yield replace(first, times=1 + len(others))


@dataclass(frozen=True)
class _Scales:
    """The largest of a network, which all else is drawn against."""

    side: int
    channels: int
    units: int

    @classmethod
    def of(cls, traced: Trace) -> "_Scales":
        maps = [row.output for row in traced.layers if row.kind != "fc"]
        units = [row.output[0] for row in traced.layers if row.kind == "fc"]
        return cls(max(max(shape[1:]) for shape in maps), max(shape[0] for shape in maps), max(units))

    def box(self, row: LayerRow, detail: str, x: float, times: int) -> Box:
        channels, height, width = row.output
        if row.kind == "fc":
            tall, thick, depth = LOWEST + (HIGHEST - LOWEST) * 0.7 * (channels / self.units) ** 0.4, 8.0, 5.0
        else:
            tall = LOWEST + (HIGHEST - LOWEST) * ((max(height, width) - 1) / max(self.side - 1, 1)) ** 0.6
            thick = max(THINNEST, THICKEST * (channels / self.channels) ** 0.5) if row.kind == "conv" else 5.0
            depth = SLANT * tall
        kind = "conv1" if row.kind == "conv" and f" 1{TIMES}1" in detail else row.kind
        title = f"{row.name}: {size_words(row.output)}, {row.parameters:,} parameters, {row.macs:,} MACs"
        return Box(row.name, kind, detail, title, size_words(row.output[1:]), x, thick, tall, depth, times)


def _placed(units: Sequence[_Unit], scales: _Scales) -> Placed:
    """Boxes from left to right, the arcs over their blocks, and the stages they form."""
    boxes: list[Box] = []
    arcs: list[Arc] = []
    stages: list[Stage] = []
    x = start = MARGIN
    before: LayerRow | None = None
    for unit in units:
        if before is not None and _opens_stage(before, unit.rows[-1]):
            stages.append(_stage(boxes, start))
            x = start = max(x + boxes[-1].depth, start + STAGE_WIDTH)
        elif unit.is_block and boxes:
            x += 10
        for row, detail in zip(unit.rows, unit.details, strict=True):
            box = scales.box(row, detail, x, 1 if unit.is_block else unit.times)
            boxes.append(box)
            x += max(box.width + 5, PITCH)
        before = unit.rows[-1]
        if unit.is_block:
            arcs.append(_arc(boxes[-len(unit.rows) :], unit))
    stages.append(_stage(boxes, start))
    return Placed(tuple(boxes), tuple(arcs), tuple(stages))


def _opens_stage(before: LayerRow, row: LayerRow) -> bool:
    """A pool ends its stage, a stride begins one, and so does the head."""
    if row.kind == "fc" or row.name.startswith(("gap", "avgpool")):
        return before.kind != "fc" and not before.name.startswith(("gap", "avgpool"))
    return before.kind == "pool" or (row.kind != "pool" and before.output[1:] != row.output[1:])


def _stage(boxes: Sequence[Box], start: float) -> Stage:
    end = boxes[-1].x + boxes[-1].width
    sizes = [box.size for box in boxes if box.x >= start and box.kind in ("conv", "conv1", "norm")]
    return Stage(start, end, sizes[-1] if sizes else "head")


def _arc(boxes: Sequence[Box], unit: _Unit) -> Arc:
    depth = max(box.depth for box in boxes) * 0.6
    start, end = boxes[0].x - 6 + depth, boxes[-1].x + boxes[-1].width + 4 + depth
    base = -max(box.height / 2 + box.depth for box in boxes) - 3
    return Arc(start, end, base, base - 18 - 0.14 * (end - start), unit.projects, unit.times)
