"""A network drawn from its records: a box a layer, as high as its map and as thick as its channels.

Plain geometry; ``diagram.svg.j2`` turns it into SVG that is light or dark as its reader is. Shortcuts are
arcs. Where there are more than ``MOST_BOXES`` layers, runs of equal ones are drawn once, with how often.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import jinja2

from verydeep.analyze.trace import LayerRow, Trace, layer_names, trace
from verydeep.data.files import replacing
from verydeep.errors import SpecError
from verydeep.report.numbers import TIMES, rounded
from verydeep.spec.arch import Architecture
from verydeep.spec.layers import Conv, Layer, Residual

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
    """The class of its colour: conv, conv1, pool, norm, fc."""
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
class Key:
    """What a colour or a stroke stands for."""

    kind: str
    words: str
    x: float


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """Everything to be drawn, in px; the vertical middle of all boxes is at ``middle``."""

    title: str
    line: tuple[str, ...]
    """The line of text, broken to the width of the picture."""
    summary: str
    width: float
    height: float
    middle: float
    floor: float
    """Below the highest box: where the names begin."""
    boxes: tuple[Box, ...]
    arcs: tuple[Arc, ...]
    stages: tuple[Stage, ...]
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class _Unit:
    """A layer of the line with its rows, and how many equal ones it stands for."""

    rows: tuple[LayerRow, ...]
    details: tuple[str, ...]
    is_block: bool
    projects: bool
    times: int = 1


def save_diagram(architecture: Architecture, path: Path) -> None:
    """Draw ``architecture`` into the SVG file ``path``.

    Raises:
        SpecError: where the file's name ends in something else.
    """
    if path.suffix.lower() != ".svg":
        raise SpecError(f"a diagram is an SVG file, {path.name!r} given; call it {path.stem}.svg")
    with replacing(path) as temporary:
        temporary.write_text(render(diagram(architecture)), encoding="utf-8")


def render(drawn: Diagram) -> str:
    """``drawn`` as SVG, all text escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("verydeep", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("diagram.svg.j2").render(d=drawn)


def diagram(architecture: Architecture) -> Diagram:
    """The geometry of ``architecture``."""
    traced = trace(architecture)
    units = list(_units(architecture, traced))
    if sum(len(unit.rows) for unit in units) > MOST_BOXES:
        units = list(_folded(units))
    boxes, arcs, stages = _placed(units, _Scales.of(traced))
    width = max(stages[-1].end, boxes[-1].x + boxes[-1].width + boxes[-1].depth) + MARGIN
    summary, keys = _summary(architecture, traced), tuple(_keys(boxes, arcs))
    width = max(width, 6.4 * len(summary) + 2 * MARGIN, keys[-1].x + 6.4 * len(keys[-1].words) + MARGIN)
    line = tuple(textwrap.wrap(traced.line, int((width - 2 * MARGIN) / 7.3), break_on_hyphens=False))
    above = max((-arc.top for arc in arcs), default=0.0)
    above = max(above, *(box.height / 2 + box.depth for box in boxes))
    middle = 62 + 17 * len(line) + 24 + above
    floor = middle + max(box.height for box in boxes) / 2 + 12
    longest = max(6.2 * len(f"{box.name}  {box.detail}") for box in boxes)
    return Diagram(
        title=_title(traced),
        line=line,
        summary=summary,
        width=width,
        height=floor + longest + 88,
        middle=middle,
        floor=floor,
        boxes=boxes,
        arcs=arcs,
        stages=stages,
        keys=keys,
    )


_WORDS = {
    "conv": "convolution",
    "conv1": "1\N{MULTIPLICATION SIGN}1 convolution",
    "pool": "pool",
    "norm": "normalisation",
    "fc": "fully connected",
    "arc": "shortcut",
    "arc projects": "shortcut with a 1\N{MULTIPLICATION SIGN}1 convolution",
}


def _keys(boxes: Sequence[Box], arcs: Sequence[Arc]) -> Iterator[Key]:
    """The kinds that are drawn, side by side."""
    drawn = {box.kind for box in boxes} | {"arc projects" if arc.projects else "arc" for arc in arcs}
    x = MARGIN
    for kind, words in _WORDS.items():
        if kind in drawn:
            yield Key(kind, words, x)
            x += 40 + 6.4 * len(words)


def _title(traced: Trace) -> str:
    return "A network" if traced.name == traced.line else traced.name


def _summary(architecture: Architecture, traced: Trace) -> str:
    norms = {"none": "", "batch": "batch norm after every convolution",
             "batch-after-pool": "batch norm after every convolution, behind its pool"}  # fmt: skip
    parts = [
        f"images {_size(traced.input)}",
        f"{rounded(traced.totals.parameters)} parameters",
        f"{rounded(traced.totals.macs)} MACs",
        norms[architecture.norm],
    ]
    return " · ".join(filter(None, parts))


def _size(shape: Iterable[int]) -> str:
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
        title = f"{row.name}: {_size(row.output)}, {row.parameters:,} parameters, {row.macs:,} MACs"
        return Box(row.name, kind, detail, title, _size(row.output[1:]), x, thick, tall, depth, times)


def _placed(
    units: Sequence[_Unit], scales: _Scales
) -> tuple[tuple[Box, ...], tuple[Arc, ...], tuple[Stage, ...]]:
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
    return tuple(boxes), tuple(arcs), tuple(stages)


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
