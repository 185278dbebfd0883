"""Many heat maps on one page, each beside its image: a file that needs no other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verydeep.atomic_write import atomic_write
from verydeep.explain.heat_maps import HeatMap
from verydeep.pictures.heat_map_image import blend, in_words, original, overlay
from verydeep.report.pictures import CRISP_SIDE, data_uri
from verydeep.templates.environment import environment

STOPS = 12
"""Of the key's gradient."""


@dataclass(frozen=True)
class Shown:
    """A heat map as it stands on the page."""

    name: str
    words: str
    """The class, and how likely it is."""
    is_predicted: bool
    """Whether the network would have said that class."""
    crisp: bool
    image: str
    overlay: str
    """Both as addresses of themselves."""


def shown(found: HeatMap, name: str) -> Shown:
    """``found`` for the page: the image called ``name`` and the heat over it."""
    return Shown(
        name=name,
        words=in_words(found),
        is_predicted=found.predicted == found.label,
        crisp=found.pixels.shape[2] <= CRISP_SIDE,
        image=data_uri(original(found)),
        overlay=data_uri(overlay(found)),
    )


def write_heat_sheet(images: Sequence[Shown], method: str, path: Path) -> None:
    """A page of ``images`` at ``path``; ``method`` says which network was asked, and how."""
    page = environment().get_template("heat_sheet.html.j2")
    text = page.render(method=method, images=images, colors=key_colors())
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def key_colors() -> list[str]:
    """For CSS, the colors of the key over a middle gray, from no heat to the most."""
    heat = np.linspace(0, 1, STOPS)[None]
    stops = blend(np.full_like(heat, 160.0), heat)[:, 0].T
    return [f"rgb({red}, {green}, {blue})" for red, green, blue in stops.tolist()]
