"""A compression for the terminal: each candidate in a line, and the result beside the original."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from verydeep.compress.candidate import Candidate
from verydeep.compress.result import CompressResult
from verydeep.compress.settings import loss_points
from verydeep.number_format import NONE, TIMES, bytes_text, duration, percent, rounded

COLUMNS = ("step", "architecture", "accuracy", "points", "at worst", "ms", "MACs", "parameters", "file")
"""Points are those of the measure that decides, with their one-sided 95 % bound."""
_GAP = 2
"""Spaces between columns."""


def candidate_line(candidate: Candidate) -> str:
    """A candidate as one line of progress."""
    measured = candidate.measured
    verdict = "" if candidate.name == "original" else f": {'kept' if candidate.kept else 'rejected'}"
    why = f", {candidate.why}" if candidate.why else ""
    return (
        f"{candidate.name} {measured.architecture}{verdict}{why}; accuracy {percent(measured.top1)}, "
        f"{measured.latency_ms:.3g} ms, {bytes_text(measured.bytes)}"
    )


def compress_table(result: CompressResult) -> Group:
    """What was gained and lost, and all candidates."""
    before, after = result.original, result.result
    headline = Text.assemble(
        (f"{before.bytes / after.bytes:.1f}{TIMES} smaller, {after.speedup:.2f}{TIMES} faster", "bold"),
        f" ({before.macs / after.macs:.2f}{TIMES} fewer MACs): {after.architecture}\n",
        f"{_loss_text(result)}\n",
        *(f"Note: {note}\n" for note in result.notes),
        f"{result.run}, after {duration(result.seconds)}\n",
    )
    return Group(headline, _candidates(result.candidates))


def _loss_text(result: CompressResult) -> str:
    measure = "balanced accuracy" if result.balanced else "accuracy"
    loss, worst = (loss_points(result.result, strict=strict) for strict in (False, True))
    decided = f"{measure} {_points(-loss)} points on the {result.images:,} images that decided"
    text = f"{decided}, at worst {_points(-worst)} (one-sided 95 % bound)"
    if (test := result.test) is None:
        return text
    low, value, high = (
        _points(100 * each) for each in (test.difference.low, test.difference.value, test.difference.high)
    )
    return (
        f"{text}\n{measure} {percent(test.before)} to {percent(test.after)} on {test.images:,} test images: "
        f"{value} points (95 % interval {low} to {high})"
    )


def _points(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # no negative zero


def _candidates(candidates: Sequence[Candidate]) -> Table:
    """The rejected ones are in parentheses; printed with ``soft_wrap``, no cell is cut."""
    lines = [COLUMNS, *map(_cells, candidates)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = Table(box=None, pad_edge=False, width=sum(widths) + _GAP * (len(widths) - 1))
    for number, (name, width) in enumerate(zip(COLUMNS, widths, strict=True)):
        table.add_column(name, justify="right" if number > 1 else "left", width=width)
    for line in lines[1:]:
        table.add_row(*line)
    return table


def _cells(candidate: Candidate) -> tuple[str, ...]:
    measured, is_original = candidate.measured, candidate.name == "original"
    return (
        candidate.name if candidate.kept else f"({candidate.name})",
        measured.architecture,
        percent(measured.top1),
        NONE if is_original else _points(100 * measured.difference.value),
        NONE if is_original else _points(100 * measured.difference.low),
        f"{measured.latency_ms:.3g}",
        rounded(measured.macs),
        rounded(measured.parameters),
        bytes_text(measured.bytes),
    )
