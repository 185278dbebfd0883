"""Bars as PNG or SVG files: where a network's memory and parameters sit, and networks side by side.

matplotlib draws here and nowhere else, and this file is imported only where a picture is asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from verydeep.analyze.compare import Comparison
from verydeep.analyze.memory import Forecast
from verydeep.analyze.trace import LayerRow, Trace
from verydeep.atomic_write import atomic_write
from verydeep.errors import ArchitectureError
from verydeep.tables.format import rounded

FORMATS = (".png", ".svg")
MOST_BARS = 60
BLUE, ORANGE, INK, DIM, RULE = "#2f7fc1", "#d9622b", "#17212b", "#586571", "#dfe4e8"


@dataclass(frozen=True)
class _Bar:
    """One row of the layer picture."""

    name: str
    left: int
    right: int


def save_layer_picture(network: Trace, path: Path, memory: Forecast | None = None) -> None:
    """Activations (or what training keeps, in bytes) to the left, parameters to the right, a bar a layer.

    Raises:
        ArchitectureError: where the file's name ends in neither .png nor .svg.
    """
    bars = _bars(network, memory)
    figure = _figure(7.6, 1.5 + 0.2 * len(bars))
    left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.42})
    kept = (
        f"kept for the backward pass, bytes, batch {memory.batch}" if memory else "activations of one image"
    )
    _side(left, [bar.left for bar in bars], BLUE, kept)
    _side(right, [bar.right for bar in bars], ORANGE, "parameters")
    left.invert_xaxis()
    left.invert_yaxis()
    left.yaxis.set_visible(False)
    right.yaxis.set_visible(False)
    for place, bar in enumerate(bars):  # between the sides, whose gap is 0.42 of their width
        right.text(-0.21, place, bar.name, transform=right.get_yaxis_transform(), color=INK, fontsize=9,
                   ha="center", va="center")  # fmt: skip
    _title(
        figure,
        network.name,
        network.architecture_string if network.name != network.architecture_string else "",
    )
    _save(figure, path)


def save_comparison_picture(networks: Sequence[Comparison], path: Path) -> None:
    """Networks side by side as bars, one panel a quantity.

    Raises:
        ArchitectureError: where the file's name ends in neither .png nor .svg.
    """
    panels: list[tuple[str, Callable[[Comparison], float]]] = [
        ("depth", lambda row: row.depth),
        ("parameters", lambda row: row.parameters),
        ("MACs of one image", lambda row: row.macs),
        ("activations of one image", lambda row: row.activations),
        ("receptive field, px", lambda row: row.receptive_field),
        ("published top-1, %", lambda row: row.published[0].top1 if row.published else 0.0),
    ]
    figure = _figure(9.6, 1.6 + 2 * (0.7 + 0.3 * len(networks)))
    grid = figure.subplots(2, 3, sharey=True, gridspec_kw={"hspace": 0.35, "wspace": 0.16})
    for axes, (title, value) in zip(grid.flat, panels, strict=True):
        values = [value(row) for row in networks]
        axes.barh(range(len(values)), values, color=BLUE, height=0.66)
        axes.set_title(title, loc="left", fontsize=10, color=INK)
        axes.set_xlim(0, 1.28 * (max(values) or 1))
        axes.xaxis.set_visible(False)
        for place, number in enumerate(values):
            said = f"{number:.1f}" if isinstance(number, float) and number else rounded(int(number))
            axes.text(number, place, f" {said}" if number else " not published", va="center", color=DIM)
        axes.set_yticks(range(len(networks)), [_short(row.name) for row in networks], color=INK, fontsize=9)
        axes.tick_params(axis="y", length=0)
        axes.spines[:].set_visible(False)
    grid[0, 0].invert_yaxis()
    sources: dict[str, list[str]] = {}
    for row in networks:
        if row.published:
            source = f"{row.published[0].protocol}; {row.published[0].source}"
            sources.setdefault(source, []).append(row.name)
    said_of = [f"Top-1 of {', '.join(names)}: {source}" for source, names in sources.items()]
    _title(figure, "Side by side", "")
    figure.subplots_adjust(bottom=(0.35 + 0.16 * len(sources)) / figure.get_figheight())
    figure.text(0.02, 0.01, "\n".join(said_of), fontsize=7.5, color=DIM)
    _save(figure, path)


def _bars(network: Trace, memory: Forecast | None) -> list[_Bar]:
    """A bar a layer; a block or a stage where layers are too many."""
    kept = {layer.name: layer.kept for layer in memory.layers} if memory else {}
    for level in (_layer, _block, _stage):
        groups = [(name, list(rows)) for name, rows in groupby(network.layers, key=level)]
        if len(groups) <= MOST_BARS:
            break
    bars = [
        _Bar(
            name,
            sum(kept[row.name] if memory else row.activations for row in rows),
            sum(row.parameters for row in rows),
        )
        for name, rows in groups
    ]
    return [_Bar("input", kept["input"], 0), *bars] if memory else bars


def _layer(row: LayerRow) -> str:
    """A norm belongs to its convolution's bar only where it follows it; else it has its own."""
    return row.name.replace("bn", "conv", 1) if row.kind == "norm" else row.name


def _block(row: LayerRow) -> str:
    stage, *places = row.name.replace("bn", "conv", 1).replace("add", "conv", 1).split("_")
    return "_".join([stage, *places[:1]])


def _stage(row: LayerRow) -> str:
    return _block(row).split("_")[0]


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, min(height, 16)), dpi=150, facecolor="white")


def _side(axes: Axes, values: Sequence[int], color: str, title: str) -> None:
    axes.barh(range(len(values)), values, color=color, height=0.72)
    axes.set_title(title, fontsize=10, color=INK, loc="center", pad=10)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axes.tick_params(axis="x", length=0, colors=DIM)
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.margins(y=0.01)


def _tick(value: float) -> str:
    """``3000000`` as ``3 M``."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g}"


def _title(figure: Figure, name: str, line: str) -> None:
    height = figure.get_figheight()
    figure.text(0.02, 1 - 0.3 / height, name, fontsize=15, fontweight="bold", color=INK)
    if line:
        shown = line if len(line) < 105 else f"{line[:100]} …"
        figure.text(0.02, 1 - 0.52 / height, shown, fontsize=8, family="monospace", color="#0067b0")
    figure.subplots_adjust(
        left=0.03 if line else 0.14, right=0.98, top=1 - 1.0 / height, bottom=0.45 / height
    )


def _short(name: str) -> str:
    """A typed line may be long, and the margin is not."""
    return name if len(name) <= 15 else f"{name[:14]}…"


def _save(figure: Figure, path: Path) -> None:
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise ArchitectureError(
            f"a picture is a .png or .svg file, {path.name!r} given; call it {path.stem}.png"
        )
    # The same picture is the same bytes, and text stays text.
    metadata = {"Date": None} if kind == ".svg" else {}
    with (
        matplotlib.rc_context({"svg.hashsalt": "verydeep", "svg.fonttype": "none"}),
        atomic_write(path) as temporary,
    ):
        figure.savefig(temporary, format=kind[1:], metadata=metadata)
