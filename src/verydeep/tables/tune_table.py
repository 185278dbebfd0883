"""The table of a tuning for the terminal."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from verydeep.evaluate.score import Score
from verydeep.tables.confusion_matrix import class_lines
from verydeep.tables.format import duration, percent
from verydeep.tune.result import TuneResult


def tuned_table(result: TuneResult) -> Group:
    """What the kept network is worth, what was tried, and each class with what it is most often taken for."""
    low, high = result.test_score.interval
    calm = percent(result.scaled.reliability.error)
    groups = f" of {test_groups} groups" if (test_groups := _test_groups(result)) else ""
    headline = Text.assemble(
        (f"Balanced accuracy {percent(result.test_score.balanced_accuracy)}", "bold"),
        f"  (95 % interval {percent(low)} to {percent(high)}) on {result.test.images:,} test "
        f"images{groups}\n",
        f"accuracy {percent(result.test_score.accuracy)} · macro-F1 {percent(result.test_score.macro_f1)} · "
        f"calibration error {percent(result.test.calibration_error)}, {calm} "
        f"at temperature {result.temperature:.2f}\n",
        f"kept: {result.chosen}, {result.why}\n",
        f"head: {result.head_reason}\n",
    )
    return Group(headline, _candidates(result), _notes(result), _classes(result))


def _test_groups(result: TuneResult) -> int | None:
    return next(part.groups for part in result.parts if part.part == "test")


def _candidates(result: TuneResult) -> Table:
    table = _table("way", "held out", "95 %", "test", "95 %", "time")
    for each in result.candidates:
        time = duration(each.seconds) if each.seconds else ""
        table.add_row(each.way, *_range(each.validation), *_range(each.test), time)
    return table


def _notes(result: TuneResult) -> Text:
    return Text("".join(f"\n{each.way}: {each.note}" for each in result.candidates) + "\n")


def _range(score: Score | None) -> tuple[str, str]:
    """Balanced accuracy, and its interval."""
    if score is None:
        return "", ""
    low, high = score.interval
    return percent(score.balanced_accuracy), f"{100 * low:.1f} to {100 * high:.1f}"


def _classes(result: TuneResult) -> Table:
    table = _table("class", "recognized", "images", "most often taken for")
    for line in class_lines(result.test):
        rival = f"{line.rival} ({line.lost:,})" if line.rival else ""
        table.add_row(line.name, percent(line.recall, 1), f"{line.images:,}", rival)
    return table


def _table(first: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(first)
    for column in columns:
        table.add_column(column)
    return table
