"""Bar charts as PNG or SVG files: memory and parameters of each layer, and the comparison of networks.

Only this module uses matplotlib, and it is imported only for ``--plot``.
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
from verydeep.analyze.layer_rows import LayerRow
from verydeep.analyze.memory import MemoryEstimate
from verydeep.analyze.trace import Trace
from verydeep.atomic_write import atomic_write
from verydeep.errors import ArchitectureError
from verydeep.number_format import rounded

FORMATS = (".png", ".svg")
MAX_BARS = 60
BLUE, ORANGE, INK, DIM, RULE = "#2f7fc1", "#d9622b", "#17212b", "#586571", "#dfe4e8"


@dataclass(frozen=True)
class _Bar:
    """One row of the layer chart: activations (or saved bytes) and parameters."""

    name: str
    activations: int
    parameters: int


def save_layer_picture(network: Trace, path: Path, memory: MemoryEstimate | None = None) -> None:
    """Activations (or bytes that training saves) on the left, parameters on the right, one bar per layer.

    Raises:
        ArchitectureError: where the file name does not end in .png or .svg.
    """
    bars = _bars(network, memory)
    figure = _figure(7.6, 1.5 + 0.2 * len(bars))
    left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.42})
    title = (
        f"saved for the backward pass, bytes, batch {memory.batch}" if memory else "activations of one image"
    )
    _side(left, [bar.activations for bar in bars], BLUE, title)
    _side(right, [bar.parameters for bar in bars], ORANGE, "parameters")
    left.invert_xaxis()
    left.invert_yaxis()
    left.yaxis.set_visible(False)
    right.yaxis.set_visible(False)
    for row, bar in enumerate(bars):  # between the sides, whose gap is 0.42 of their width
        right.text(-0.21, row, bar.name, transform=right.get_yaxis_transform(), color=INK, fontsize=9,
                   ha="center", va="center")  # fmt: skip
    _title(
        figure,
        network.name,
        network.architecture_string if network.name != network.architecture_string else "",
    )
    _save(figure, path)


def save_comparison_picture(networks: Sequence[Comparison], path: Path) -> None:
    """The comparison of networks as bars, one panel per quantity.

    Raises:
        ArchitectureError: where the file name does not end in .png or .svg.
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
        for row, number in enumerate(values):
            text = f"{number:.1f}" if isinstance(number, float) and number else rounded(int(number))
            axes.text(number, row, f" {text}" if number else " not published", va="center", color=DIM)
        axes.set_yticks(range(len(networks)), [_short(row.name) for row in networks], color=INK, fontsize=9)
        axes.tick_params(axis="y", length=0)
        axes.spines[:].set_visible(False)
    grid[0, 0].invert_yaxis()
    footnotes = _source_lines(networks)
    _title(figure, "Comparison", "")
    figure.subplots_adjust(bottom=(0.35 + 0.16 * len(footnotes)) / figure.get_figheight())
    figure.text(0.02, 0.01, "\n".join(footnotes), fontsize=7.5, color=DIM)
    _save(figure, path)


def _source_lines(networks: Sequence[Comparison]) -> list[str]:
    sources: dict[str, list[str]] = {}
    for network in networks:
        if network.published:
            source = f"{network.published[0].protocol}; {network.published[0].source}"
            sources.setdefault(source, []).append(network.name)
    return [f"Top-1 of {', '.join(names)}: {source}" for source, names in sources.items()]


def _bars(network: Trace, memory: MemoryEstimate | None) -> list[_Bar]:
    """One bar per layer; one per block or per stage where there are more than ``MAX_BARS``."""
    saved = {layer.name: layer.saved for layer in memory.layers} if memory else {}
    for level in (_layer, _block, _stage):
        groups = [(name, list(rows)) for name, rows in groupby(network.layers, key=level)]
        if len(groups) <= MAX_BARS:
            break
    bars = [
        _Bar(
            name,
            sum(saved[row.name] if memory else row.activations for row in rows),
            sum(row.parameters for row in rows),
        )
        for name, rows in groups
    ]
    return [_Bar("input", saved["input"], 0), *bars] if memory else bars


def _layer(row: LayerRow) -> str:
    """A norm is part of its convolution's bar if it directly follows it; else it has its own bar."""
    return row.name.replace("bn", "conv", 1) if row.kind == "norm" else row.name


def _block(row: LayerRow) -> str:
    stage, *numbers = row.name.replace("bn", "conv", 1).replace("add", "conv", 1).split("_")
    return "_".join([stage, *numbers[:1]])


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


def _title(figure: Figure, name: str, string: str) -> None:
    height = figure.get_figheight()
    figure.text(0.02, 1 - 0.3 / height, name, fontsize=15, fontweight="bold", color=INK)
    if string:
        shown = string if len(string) < 105 else f"{string[:100]} …"
        figure.text(0.02, 1 - 0.52 / height, shown, fontsize=8, family="monospace", color="#0067b0")
    figure.subplots_adjust(
        left=0.03 if string else 0.14, right=0.98, top=1 - 1.0 / height, bottom=0.45 / height
    )


def _short(name: str) -> str:
    """An architecture string may be longer than the margin."""
    return name if len(name) <= 15 else f"{name[:14]}…"


def _save(figure: Figure, path: Path) -> None:
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise ArchitectureError(
            f"a plot needs a file name that ends in .png or .svg, {path.name!r} given; use {path.stem}.png"
        )
    # A fixed salt and no date give equal files for equal plots; text stays text in SVG.
    metadata = {"Date": None} if kind == ".svg" else {}
    with (
        matplotlib.rc_context({"svg.hashsalt": "verydeep", "svg.fonttype": "none"}),
        atomic_write(path) as temporary,
    ):
        figure.savefig(temporary, format=kind[1:], metadata=metadata)
