"""A diagram of an architecture in SVG: one box per layer, as high as its map and as wide as its channels.

The geometry is in ``diagram_layout.py``; ``diagram.svg.j2`` turns it into SVG for light and dark mode.
Shortcuts are arcs. In very deep networks, consecutive equal layers are one box with their number.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from verydeep.analyze.trace import Trace, trace
from verydeep.architecture.architecture import Architecture
from verydeep.atomic_write import write_text
from verydeep.errors import ArchitectureError
from verydeep.number_format import rounded
from verydeep.report.diagram_layout import MARGIN, Arc, Box, Stage, layout, shape_text
from verydeep.templates.environment import environment


@dataclass(frozen=True)
class LegendEntry:
    """The meaning of a color or a stroke."""

    kind: str
    text: str
    x: float


@dataclass(frozen=True, kw_only=True)
class ArchitectureDiagram:
    """The geometry of the diagram, in px; the vertical middle of all boxes is at ``middle``."""

    title: str
    architecture_string: tuple[str, ...]
    """The architecture string, wrapped to the width of the diagram."""
    summary: str
    width: float
    height: float
    middle: float
    labels_top: float
    """The top of the layer names, below the highest box."""
    boxes: tuple[Box, ...]
    arcs: tuple[Arc, ...]
    stages: tuple[Stage, ...]
    legend: tuple[LegendEntry, ...]


def save_diagram(architecture: Architecture, path: Path) -> None:
    """Draw ``architecture`` into the SVG file ``path``.

    Raises:
        ArchitectureError: where the file name does not end in .svg.
    """
    if path.suffix.lower() != ".svg":
        raise ArchitectureError(
            f"a diagram needs a file name that ends in .svg, {path.name!r} given; use {path.stem}.svg"
        )
    write_text(path, render(architecture_diagram(architecture)))


def render(diagram: ArchitectureDiagram) -> str:
    """``diagram`` as SVG, all text escaped."""
    return environment().get_template("diagram.svg.j2").render(diagram=diagram)


def architecture_diagram(
    architecture: Architecture, beside: Architecture | None = None
) -> ArchitectureDiagram:
    """The diagram of ``architecture``, to the same scale as that of a network ``beside`` it."""
    traced = trace(architecture)
    placed = layout(architecture, beside)
    boxes, arcs, stages = placed.boxes, placed.arcs, placed.stages
    summary, legend = _summary(architecture, traced), tuple(_legend(boxes, arcs))
    width = max(_drawing_width(boxes, stages, legend), 6.4 * len(summary) + 2 * MARGIN)
    string = tuple(
        textwrap.wrap(traced.architecture_string, int((width - 2 * MARGIN) / 7.3), break_on_hyphens=False)
    )
    above = max((-arc.top for arc in arcs), default=0.0)
    above = max(above, *(box.height / 2 + box.depth + (20 if box.repeats > 1 else 0) for box in boxes))
    middle = 62 + 17 * len(string) + 24 + above
    labels_top = middle + max(box.height for box in boxes) / 2 + 12
    longest = max(6.2 * len(f"{box.name}  {box.detail}") for box in boxes)
    return ArchitectureDiagram(
        title=_title(traced),
        architecture_string=string,
        summary=summary,
        width=width,
        height=labels_top + longest + 88,
        middle=middle,
        labels_top=labels_top,
        boxes=boxes,
        arcs=arcs,
        stages=stages,
        legend=legend,
    )


def without_texts(diagram: ArchitectureDiagram) -> ArchitectureDiagram:
    """``diagram`` without the title, the string and the summary above it, for a page that has them."""
    height = 62 + 17 * len(diagram.architecture_string)
    return replace(
        diagram,
        title="",
        architecture_string=(),
        summary="",
        width=_drawing_width(diagram.boxes, diagram.stages, diagram.legend),
        height=diagram.height - height,
        middle=diagram.middle - height,
        labels_top=diagram.labels_top - height,
    )


def _drawing_width(boxes: Sequence[Box], stages: Sequence[Stage], legend: Sequence[LegendEntry]) -> float:
    return max(
        stages[-1].end + MARGIN,
        boxes[-1].x + boxes[-1].width + boxes[-1].depth + MARGIN,
        legend[-1].x + 6.4 * len(legend[-1].text) + MARGIN,
    )


_LEGEND = {
    "conv": "convolution",
    "conv1": "1\N{MULTIPLICATION SIGN}1 convolution",
    "pool": "pool",
    "norm": "normalization",
    "fc": "fully connected",
    "arc": "shortcut",
    "arc projects": "shortcut with a 1\N{MULTIPLICATION SIGN}1 convolution",
}


def _legend(boxes: Sequence[Box], arcs: Sequence[Arc]) -> Iterator[LegendEntry]:
    """The kinds in the diagram, from left to right."""
    kinds = {box.kind for box in boxes} | {"arc projects" if arc.projects else "arc" for arc in arcs}
    x = MARGIN
    for kind, text in _LEGEND.items():
        if kind in kinds:
            yield LegendEntry(kind, text, x)
            x += 40 + 6.4 * len(text)


def _title(traced: Trace) -> str:
    return "A network" if traced.name == traced.architecture_string else traced.name


def _summary(architecture: Architecture, traced: Trace) -> str:
    norms = {"none": "", "batch": "batch norm after every convolution",
             "batch-after-pool": "batch norm after every convolution and its pool"}  # fmt: skip
    parts = [
        f"images {shape_text(traced.input)}",
        f"{rounded(traced.totals.parameters)} parameters",
        f"{rounded(traced.totals.macs)} MACs",
        norms[architecture.norm],
    ]
    return " · ".join(filter(None, parts))
