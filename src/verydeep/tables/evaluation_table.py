"""The table of an evaluation for the terminal."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.evaluation import Assessment
from verydeep.evaluate.metrics import Evaluation
from verydeep.tables.confusion_matrix import class_lines
from verydeep.tables.format import NONE, percent


def evaluation_table(assessment: Assessment) -> Group:
    """The headline numbers, and below them each class with what it is most often taken for."""
    result = assessment.evaluation
    top1, balanced, macro_f1 = (
        _range(assessment.intervals[name]) for name in ("top1", "balanced_accuracy", "macro_f1")
    )
    of = f" of {assessment.groups:,} groups" if assessment.groups else ""
    top5 = f"top-5 {percent(result.top5)} · " if len(result.scores) > 5 else ""
    headline = Text.assemble(
        (f"Accuracy {percent(result.top1)}", "bold"),
        f"  ({top1}) on {result.images:,} images{of}\n",
        f"balanced accuracy {percent(result.balanced_accuracy)}  ({balanced})\n",
        f"macro-F1 {percent(result.macro_f1)}  ({macro_f1})\n",
        f"{top5}loss {result.loss:.3f} nats · Brier score {assessment.brier:.3f} · "
        f"calibration error {percent(assessment.reliability.error)}\n",
        _scaled(assessment),
        unseen(result),
    )
    return Group(headline, _class_table(result))  # not as its title, which is wrapped to the table's width


def unseen(result: Evaluation) -> str:
    """A line that names the classes of which nothing was measured; empty where there are none."""
    names, more = result.unseen[:10], len(result.unseen) - 10
    if not names:
        return ""
    others = f" and {more:,} more classes" if more > 0 else ""
    return f"no images of {', '.join(names)}{others}, which the means over classes leave out\n"


def _range(interval: Interval) -> str:
    return f"95 % interval {percent(interval.low)} to {percent(interval.high)}"


def _scaled(assessment: Assessment) -> str:
    scaled = assessment.scaled
    if scaled is None:
        return ""
    return (
        f"scaled by temperature {scaled.temperature:.3f}: loss {scaled.loss:.3f} nats · "
        f"calibration error {percent(scaled.reliability.error)}\n"
    )


def _class_table(result: Evaluation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("class")
    for name in ("recognized", "precision", "F1", "images"):
        table.add_column(name, justify="right")
    table.add_column("most often taken for")
    for line in class_lines(result):
        rival = f"{line.rival} ({line.lost:,})" if line.rival else ""
        precision = NONE if line.precision is None else percent(line.precision, 1)
        recall, f1 = (percent(value, 1) if line.images else NONE for value in (line.recall, line.f1))
        table.add_row(Text(line.name), recall, precision, f1, f"{line.images:,}", Text(rival))
    return table
