"""A network drawn from its records: a box a layer, as high as its map and as thick as its channels.

The geometry is in ``boxes.py``; ``diagram.svg.j2`` turns it into SVG that is light or dark as its reader
is. Shortcuts are arcs. Of very deep networks, runs of equal layers are drawn once, with how often.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from verydeep.analyze.trace import Trace, trace
from verydeep.architecture.architecture import Architecture
from verydeep.atomic_write import atomic_write
from verydeep.errors import ArchitectureError
from verydeep.report.diagram_layout import MARGIN, Arc, Box, Stage, place, size_words
from verydeep.tables.format import rounded
from verydeep.templates.environment import environment


@dataclass(frozen=True)
class Key:
    """What a color or a stroke stands for."""

    kind: str
    words: str
    x: float


@dataclass(frozen=True, kw_only=True)
class ArchitectureDiagram:
    """Everything to be drawn, in px; the vertical middle of all boxes is at ``middle``."""

    title: str
    architecture_string: tuple[str, ...]
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


def save_diagram(architecture: Architecture, path: Path) -> None:
    """Draw ``architecture`` into the SVG file ``path``.

    Raises:
        ArchitectureError: where the file's name ends in something else.
    """
    if path.suffix.lower() != ".svg":
        raise ArchitectureError(f"a diagram is an SVG file, {path.name!r} given; call it {path.stem}.svg")
    with atomic_write(path) as temporary:
        temporary.write_text(render(diagram(architecture)), encoding="utf-8")


def render(drawn: ArchitectureDiagram) -> str:
    """``drawn`` as SVG, all text escaped."""
    return environment().get_template("diagram.svg.j2").render(d=drawn)


def diagram(architecture: Architecture) -> ArchitectureDiagram:
    """The geometry of ``architecture``."""
    traced = trace(architecture)
    placed = place(architecture)
    boxes, arcs, stages = placed.boxes, placed.arcs, placed.stages
    width = max(stages[-1].end, boxes[-1].x + boxes[-1].width + boxes[-1].depth) + MARGIN
    summary, keys = _summary(architecture, traced), tuple(_keys(boxes, arcs))
    width = max(width, 6.4 * len(summary) + 2 * MARGIN, keys[-1].x + 6.4 * len(keys[-1].words) + MARGIN)
    line = tuple(
        textwrap.wrap(traced.architecture_string, int((width - 2 * MARGIN) / 7.3), break_on_hyphens=False)
    )
    above = max((-arc.top for arc in arcs), default=0.0)
    above = max(above, *(box.height / 2 + box.depth + (20 if box.times > 1 else 0) for box in boxes))
    middle = 62 + 17 * len(line) + 24 + above
    floor = middle + max(box.height for box in boxes) / 2 + 12
    longest = max(6.2 * len(f"{box.name}  {box.detail}") for box in boxes)
    return ArchitectureDiagram(
        title=_title(traced),
        architecture_string=line,
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
    "norm": "normalization",
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
    return "A network" if traced.name == traced.architecture_string else traced.name


def _summary(architecture: Architecture, traced: Trace) -> str:
    norms = {"none": "", "batch": "batch norm after every convolution",
             "batch-after-pool": "batch norm after every convolution, behind its pool"}  # fmt: skip
    parts = [
        f"images {size_words(traced.input)}",
        f"{rounded(traced.totals.parameters)} parameters",
        f"{rounded(traced.totals.macs)} MACs",
        norms[architecture.norm],
    ]
    return " · ".join(filter(None, parts))
