"""The layout of a diagram: one box per layer, as high as its map and as wide as its channels.

Height is a root of the side of the map and width a root of the channels, so that small maps are visible.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from verydeep.analyze.layer_rows import LayerRow
from verydeep.analyze.trace import Trace, trace
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import layer_names
from verydeep.architecture.layers import Conv, Layer, Residual
from verydeep.number_format import TIMES

MAX_BOXES = 64
MAX_HEIGHT, MIN_HEIGHT = 220.0, 30.0
"""Of a box, in px of the diagram: for the largest map, and the limit for small maps."""
MAX_WIDTH, MIN_WIDTH = 36.0, 9.0
MIN_DISTANCE = 19.0
"""Between two layers, so that their names do not overlap."""
DEPTH_RATIO = 0.17
"""Depth of a box, drawn up and to the right, per px of its height."""
MARGIN = 28.0
MIN_STAGE_WIDTH = 78.0
"""Wide enough for the size of the map below a stage."""


@dataclass(frozen=True)
class Box:
    """A layer: its front face and its depth."""

    name: str
    kind: str
    """The class of its color: conv, conv1, pool, norm, fc."""
    detail: str
    """The text after its name: channels, and a kernel that is not 3x3."""
    title: str
    """Its tooltip."""
    size: str
    """Height and width of its map."""
    x: float
    width: float
    height: float
    depth: float
    repeats: int = 1


@dataclass(frozen=True)
class Arc:
    """A shortcut over its block."""

    start: float
    end: float
    base: float
    top: float
    projects: bool
    repeats: int

    @property
    def middle(self) -> float:
        """The x position of its label."""
        return (self.start + self.end) / 2


@dataclass(frozen=True)
class Stage:
    """Layers whose maps have the same size."""

    start: float
    end: float
    size: str


@dataclass(frozen=True)
class DiagramLayout:
    """Positions of all elements. Vertical positions are relative to the vertical middle of the boxes."""

    boxes: tuple[Box, ...]
    arcs: tuple[Arc, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class _Unit:
    """A layer or residual block with its rows, and the number of equal ones that it represents."""

    rows: tuple[LayerRow, ...]
    details: tuple[str, ...]
    is_block: bool
    projects: bool
    repeats: int = 1


def layout(architecture: Architecture, beside: Architecture | None = None) -> DiagramLayout:
    """``architecture`` from left to right; above ``MAX_BOXES`` layers, equal layers are drawn once.

    Sizes are relative to the largest of both networks where another one stands ``beside`` it.
    """
    traced = trace(architecture)
    units = list(_units(architecture, traced))
    if sum(len(unit.rows) for unit in units) > MAX_BOXES:
        units = list(_merge_equal(units))
    return _layout(units, _Scales.of(*traced.layers, *(trace(beside).layers if beside else ())))


def shape_text(shape: Iterable[int]) -> str:
    """A shape with multiplication signs."""
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


def _merge_equal(units: Sequence[_Unit]) -> Iterator[_Unit]:
    def key(unit: _Unit) -> object:
        return unit.details, [(row.kind, row.output) for row in unit.rows], unit.projects

    for _, group in groupby(units, key=key):
        first, *others = group
        yield replace(first, repeats=1 + len(others))


@dataclass(frozen=True)
class _Scales:
    """The maxima of a network, or of two, to which all sizes are relative."""

    side: int
    channels: int
    units: int

    @classmethod
    def of(cls, *layers: LayerRow) -> "_Scales":
        maps = [row.output for row in layers if row.kind != "fc"]
        units = [row.output[0] for row in layers if row.kind == "fc"]
        return cls(max(max(shape[1:]) for shape in maps), max(shape[0] for shape in maps), max(units))

    def box(self, row: LayerRow, detail: str, x: float, repeats: int) -> Box:
        height, width, depth = self._box_size(row)
        kind = "conv1" if row.kind == "conv" and f" 1{TIMES}1" in detail else row.kind
        title = f"{row.name}: {shape_text(row.output)}, {row.parameters:,} parameters, {row.macs:,} MACs"
        size = shape_text(row.output[1:])
        return Box(row.name, kind, detail, title, size, x, width, height, depth, repeats)

    def _box_size(self, row: LayerRow) -> tuple[float, float, float]:
        """Height, width and depth in px."""
        channels, *sides = row.output
        span = MAX_HEIGHT - MIN_HEIGHT
        if row.kind == "fc":
            return MIN_HEIGHT + span * 0.7 * (channels / self.units) ** 0.4, 8.0, 5.0
        height = MIN_HEIGHT + span * ((max(sides) - 1) / max(self.side - 1, 1)) ** 0.6
        width = max(MIN_WIDTH, MAX_WIDTH * (channels / self.channels) ** 0.5) if row.kind == "conv" else 5.0
        return height, width, DEPTH_RATIO * height


def _layout(units: Sequence[_Unit], scales: _Scales) -> DiagramLayout:
    """Boxes from left to right, the arcs over their blocks, and the stages."""
    boxes: list[Box] = []
    arcs: list[Arc] = []
    stages: list[Stage] = []
    x = start = MARGIN
    before: LayerRow | None = None
    for unit in units:
        if before is not None and _starts_stage(before, unit.rows[-1]):
            stages.append(_stage(boxes, start))
            x = start = max(x + boxes[-1].depth, start + MIN_STAGE_WIDTH)
        elif unit.is_block and boxes:
            x += 10
        for row, detail in zip(unit.rows, unit.details, strict=True):
            box = scales.box(row, detail, x, 1 if unit.is_block else unit.repeats)
            boxes.append(box)
            x += max(box.width + 5, MIN_DISTANCE)
        before = unit.rows[-1]
        if unit.is_block:
            arcs.append(_arc(boxes[-len(unit.rows) :], unit))
    stages.append(_stage(boxes, start))
    return DiagramLayout(tuple(boxes), tuple(arcs), tuple(stages))


def _starts_stage(before: LayerRow, row: LayerRow) -> bool:
    """A stage starts after a pool, at a stride above 1, and at the head."""
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
    return Arc(start, end, base, base - 18 - 0.14 * (end - start), unit.projects, unit.repeats)
