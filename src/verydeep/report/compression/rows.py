"""The rows of the tables of a compression: before and after, and all candidates."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from verydeep.compress.candidate import Candidate
from verydeep.compress.result import CompressResult
from verydeep.number_format import NONE, bytes_text, percent, rounded, thousands
from verydeep.report.compression.dots import SHAPES
from verydeep.report.compression.sentences import measure_name, milliseconds, points, ratio_text

MAX_ROWS = 12
"""Candidates that are shown without a click."""


@dataclass(frozen=True, kw_only=True)
class BeforeAfter:
    """One quantity of the original and of the result."""

    name: str
    before: str
    after: str
    change: str
    """A number and a word for it: ``2.7x fewer``, ``-0.46 points``."""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class CandidateRow:
    """One candidate as text."""

    step: str
    shape: str
    """The SVG path of its dot."""
    kind: str
    """``kept`` or ``rejected``."""
    verdict: str
    """Whether it was kept or rejected, and why."""
    architecture: str
    cells: tuple[str, ...]
    """As ``CANDIDATE_COLUMNS``."""


CANDIDATE_COLUMNS = ("Points", "95 % bounds", "Latency", "MACs", "Parameters", "File")
"""After the step and the measure that decides; points are those of the difference, with its bounds."""


def result_index(result: CompressResult) -> int:
    """Which of the candidates is the result: the last that is kept."""
    return max(index for index, each in enumerate(result.candidates) if each.kept)


def before_after(result: CompressResult, original_value: float) -> Iterator[BeforeAfter]:
    """What the original and the result have, line by line.

    Args:
        result: of the compression.
        original_value: what the original has of the measure that decides, in [0, 1].
    """
    before, after, measure = result.original, result.result, measure_name(result)
    difference = after.difference
    yield BeforeAfter(
        name=measure,
        before=percent(original_value),
        after=percent(original_value + difference.value),
        change=f"{points(difference.value)} points",
        note=f"{result.images:,} images that decided; one-sided 95 % bounds {points(difference.low)} and "
        f"{points(difference.high)}",
    )
    if (test := result.test) is not None:
        yield BeforeAfter(
            name=f"{measure}, test",
            before=percent(test.before),
            after=percent(test.after),
            change=f"{points(test.difference.value)} points",
            note=f"{test.images:,} images; 95 % interval {points(test.difference.low)} to "
            f"{points(test.difference.high)}",
        )
    settings = result.settings
    threads = f"{settings.threads} {'thread' if settings.threads == 1 else 'threads'}"
    yield BeforeAfter(
        name="latency",
        before=milliseconds(after.original_ms),
        after=milliseconds(after.latency_ms),
        change=ratio_text(after.speedup, "faster", "slower"),
        note=f"batch {settings.batch}, {threads}, in the same turns",
    )
    yield _amount("file", (before.bytes, after.bytes), ("smaller", "larger"), bytes_text, " bytes")
    yield _amount("MACs per image", (before.macs, after.macs), ("fewer", "more"), rounded)
    yield _amount("parameters", (before.parameters, after.parameters), ("fewer", "more"), rounded)


def _amount(
    name: str, amounts: tuple[int, int], words: tuple[str, str], text: Callable[[int], str], unit: str = ""
) -> BeforeAfter:
    before, after = amounts
    return BeforeAfter(
        name=name,
        before=text(before),
        after=text(after),
        change=ratio_text(before / after, *words),
        note=f"{thousands(before)} to {thousands(after)}{unit}",
    )


def candidate_rows(result: CompressResult, original_value: float) -> tuple[CandidateRow, ...]:
    """All candidates in the order in which they were measured."""
    chosen = result_index(result)
    return tuple(_row(each, original_value, index == chosen) for index, each in enumerate(result.candidates))


def _row(candidate: Candidate, original_value: float, is_result: bool) -> CandidateRow:
    measured, is_original = candidate.measured, candidate.name == "original"
    difference, verdict = measured.difference, "kept" if candidate.kept else "rejected"
    bounds = f"{points(difference.low)} to {points(difference.high)}"
    if is_original:
        why = "where it began" + (", and the result: nothing smaller was kept" if is_result else "")
    else:
        why = ": ".join(filter(None, ["the result" if is_result else verdict, candidate.why]))
    return CandidateRow(
        step=candidate.name,
        shape=SHAPES[candidate.name],
        kind=verdict,
        verdict=why,
        architecture=measured.architecture,
        cells=(
            percent(original_value + difference.value),
            *([NONE, NONE] if is_original else [points(difference.value), bounds]),
            milliseconds(measured.latency_ms),
            rounded(measured.macs),
            rounded(measured.parameters),
            bytes_text(measured.bytes),
        ),
    )
