"""The diagrams of the network before and after a compression, drawn to the same scale."""

from base64 import b64encode
from dataclasses import dataclass

from verydeep.architecture.architecture import Architecture
from verydeep.report.architecture_diagram import architecture_diagram, render, without_texts


@dataclass(frozen=True, kw_only=True)
class DiagramImage:
    """A diagram inside the page."""

    uri: str
    """SVG as a data URI."""
    text: str
    """Its text alternative."""
    width: int
    """In px."""


def both_diagrams(before: Architecture, after: Architecture) -> tuple[DiagramImage, DiagramImage]:
    """The diagrams of ``before`` and ``after``."""
    return _image(before, after), _image(after, before)


def _image(architecture: Architecture, beside: Architecture) -> DiagramImage:
    diagram = architecture_diagram(architecture, beside)
    drawing = without_texts(diagram)
    return DiagramImage(
        uri=f"data:image/svg+xml;base64,{b64encode(render(drawing).encode()).decode()}",
        text=diagram.summary,
        width=round(drawing.width),
    )
