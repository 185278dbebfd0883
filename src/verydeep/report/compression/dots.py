"""The dots of the trade-off: a shape for each step, a color for what was kept, and names for two of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from verydeep.compress.candidate import Candidate
from verydeep.number_format import bytes_text, percent
from verydeep.report.charts.axis import Axis
from verydeep.report.charts.line_plots import LEFT, RIGHT, WIDTH
from verydeep.report.compression.sentences import milliseconds, points

ARROW = 17.0
"""The length of the arrow below a dot, in px."""
ROOM = 70.0
"""For a name beside its dot, in px."""

SHAPES = {
    "original": "M0 -6.5L6.5 0L0 6.5L-6.5 0Z",
    "fold": "M-4.6 -4.6H4.6V4.6H-4.6Z",
    "narrow": "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0 -5 0Z",
    "distill": "M0 -6L5.6 4.4H-5.6Z",
    "scratch": "M0 6L5.6 -4.4H-5.6Z",
    "quantize": "M-2 -6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
}
"""The SVG path of the dot of each step, around its middle."""


@dataclass(frozen=True)
class Name:
    """The name of a dot, with its distance from it in px."""

    text: str
    """``original`` or ``result``."""
    x: float
    y: float
    anchor: str
    """The class in the style sheet that aligns it; empty for text that starts at ``x``."""


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A candidate in a plot, in px."""

    step: str
    kind: str
    """``kept`` or ``rejected``, which gives the color."""
    x: float
    y: float
    low: float
    """The lower end of its whisker."""
    high: float
    is_below: bool
    """Whether it lies below the plot: it is drawn above its lower edge, with an arrow."""
    label: str
    """All of it, for a tooltip and for screen readers."""
    name: Name | None = None
    """Of the original and the result."""

    @property
    def shape(self) -> str:
        """The SVG path of its step."""
        return SHAPES[self.step]


@dataclass(frozen=True)
class DotKind:
    """An entry of the legend."""

    name: str
    shape: str
    kind: str
    """``kept`` or ``rejected``."""


def dot_kinds(candidates: Sequence[Candidate]) -> tuple[DotKind, ...]:
    """What the dots of ``candidates`` look like: each step, kept or rejected."""
    kinds = dict.fromkeys((each.name, "kept" if each.kept else "rejected") for each in candidates)
    return tuple(
        DotKind(step if step == "original" else f"{step}, {kind}", SHAPES[step], kind) for step, kind in kinds
    )


def dot(candidate: Candidate, original: float, x: float, y_axis: Axis) -> Dot:
    """``candidate`` at ``x`` px, where the original has ``original`` of the measure that decides."""
    difference = candidate.measured.difference
    bottom, top = y_axis.values[0], y_axis.values[-1]
    is_below = original + difference.value < bottom

    def y(value: float) -> float:
        return y_axis.position(min(max(original + value, bottom), top))

    return Dot(
        step=candidate.name,
        kind="kept" if candidate.kept else "rejected",
        x=x,
        y=y(difference.value) - ARROW * is_below,
        low=y(difference.low),
        high=y(difference.high),
        is_below=is_below,
        label=_label(candidate, original),
    )


def _label(candidate: Candidate, original: float) -> str:
    measured, is_original = candidate.measured, candidate.name == "original"
    verdict = "" if is_original else f", {'kept' if candidate.kept else 'rejected'}"
    difference = measured.difference
    change = (
        ""
        if is_original
        else f" ({points(difference.value)} points, from {points(difference.low)} to "
        f"{points(difference.high)})"
    )
    return (
        f"{candidate.name}{verdict}: {percent(original + difference.value)}{change}, "
        f"{milliseconds(measured.latency_ms)}, {bytes_text(measured.bytes)}, {measured.architecture}"
    )


def named(dots: Sequence[Dot], result: int) -> tuple[Dot, ...]:
    """``dots`` with the names of the first, the original, and of the result; both come last, on top.

    The name of the original stands above it, that of the result beside it: most dots lie below both.
    """
    each = list(dots)
    each[0] = replace(each[0], name=_name_above(each[0], "original" if result else "original, result"))
    if result:
        is_left = each[result].x > LEFT + ROOM
        beside = Name("result", -14.0, 4.0, "anchor-end") if is_left else Name("result", 14.0, 4.0, "")
        each[result] = replace(each[result], name=beside)
    return tuple(sorted(each, key=lambda one: (one.name is not None, one.kind == "kept")))


def _name_above(placed: Dot, text: str) -> Name:
    if placed.x > WIDTH - RIGHT - ROOM / 2:
        return Name(text, 8.0, -12.0, "anchor-end")
    return (
        Name(text, -8.0, -12.0, "") if placed.x < LEFT + ROOM / 2 else Name(text, 0.0, -12.0, "anchor-middle")
    )
