"""The heat map page: many heat maps on one HTML page, each beside its image, in a single file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verydeep.atomic_write import write_text
from verydeep.explain.heat_map import HeatMap
from verydeep.pictures.heat_map_image import blend, class_text, image_of, overlay_of
from verydeep.report.pictures import CRISP_SIDE, data_uri
from verydeep.templates.environment import environment

GRADIENT_STOPS = 12
"""Of the color bar."""


@dataclass(frozen=True)
class HeatMapEntry:
    """A heat map, ready for the page."""

    name: str
    class_text: str
    """The explained class with its probability."""
    is_predicted: bool
    """Whether that class is the predicted one."""
    crisp: bool
    """Whether the image is so small that it is enlarged pixel by pixel."""
    image: str
    """A data URI."""
    overlay: str
    """A data URI."""


def heat_map_entry(heat_map: HeatMap, name: str) -> HeatMapEntry:
    """``heat_map`` of the image called ``name``, for the page."""
    return HeatMapEntry(
        name=name,
        class_text=class_text(heat_map),
        is_predicted=heat_map.predicted == heat_map.label,
        crisp=heat_map.pixels.shape[2] <= CRISP_SIDE,
        image=data_uri(image_of(heat_map)),
        overlay=data_uri(overlay_of(heat_map)),
    )


def write_heat_map_page(entries: Sequence[HeatMapEntry], method: str, path: Path, images: int) -> None:
    """A page of ``entries`` at ``path``, the first ones of so many ``images``.

    Args:
        entries: what is shown.
        method: the network, the method and the layer.
        path: of the page.
        images: how many were explained.
    """
    page = environment().get_template("heat_map_page.html.j2")
    write_text(path, page.render(method=method, entries=entries, images=images, colors=color_bar_colors()))


def color_bar_colors() -> list[str]:
    """The colors of the color bar over medium gray, for CSS, from no heat to the maximum."""
    heat = np.linspace(0, 1, GRADIENT_STOPS)[None]
    stops = blend(np.full_like(heat, 160.0), heat)[:, 0].T
    return [f"rgb({red}, {green}, {blue})" for red, green, blue in stops.tolist()]
