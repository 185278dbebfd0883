"""The evaluation of a network for the terminal: accuracy with intervals, and recall of each class."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.evaluation import Evaluation
from verydeep.foreign_text import one_line
from verydeep.number_format import NONE, percent
from verydeep.tables.confusion_matrix import class_lines


def evaluation_table(result: Evaluation) -> Group:
    """The headline numbers; recall, precision and F1 of each class; the cost of rejecting unsure images."""
    return Group(Text.assemble(*_headline(result)), class_table(result), "", coverage_table(result))


def _headline(result: Evaluation) -> list[str | tuple[str, str]]:
    groups = f" of {result.groups:,} groups" if result.groups else ""
    top5 = f"top-5 {percent(result.top5)} · " if len(result.scores) > 5 else ""
    return [
        (f"Accuracy {percent(result.top1)}", "bold"),
        f"  ({interval_text(result.intervals['top1'])}) on {result.images:,} images{groups}\n",
        f"balanced accuracy {percent(result.balanced_accuracy)}  "
        f"({interval_text(result.intervals['balanced_accuracy'])})\n",
        f"macro-F1 {percent(result.macro_f1)}  ({interval_text(result.intervals['macro_f1'])})\n",
        f"{top5}loss {result.loss:.3f} nats · Brier score {result.brier:.3f} · "
        f"calibration error {percent(result.calibration.error)}\n",
        _scaled(result),
        classes_without_images(result),
    ]


def interval_text(interval: Interval) -> str:
    """``95 % interval 90.10 % to 92.30 %``."""
    return f"95 % interval {percent(interval.low)} to {percent(interval.high)}"


def classes_without_images(result: Evaluation) -> str:
    """A line that names the classes without images; empty where every class has some."""
    names, more = result.without_images[:10], len(result.without_images) - 10
    if not names:
        return ""
    others = f" and {more:,} more classes" if more > 0 else ""
    return f"no images of {', '.join(names)}{others}; means over classes leave them out\n"


def _scaled(result: Evaluation) -> str:
    if result.scaled is None:
        return ""
    return (
        f"after temperature scaling (T = {result.scaled.temperature:.3f}): "
        f"loss {result.scaled.loss:.3f} nats · "
        f"calibration error {percent(result.scaled.calibration.error)}\n"
    )


def coverage_table(result: Evaluation) -> Table:
    """What each threshold of `predict --reject-below` costs and gains."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("reject below", "images answered", "accuracy of these"):
        table.add_column(name, justify="right")
    table.add_row(NONE, percent(1, 1), percent(result.top1))
    for each in result.coverage:
        accuracy = NONE if each.accuracy is None else percent(each.accuracy)
        table.add_row(f"{each.reject_below:g}", percent(each.coverage, 1), accuracy)
    return table


def class_table(result: Evaluation) -> Table:
    """Recall, precision, F1 and the most frequent confusion of each class, the lowest recall first."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("class")
    for name in ("recall", "precision", "F1", "images"):
        table.add_column(name, justify="right")
    table.add_column("most often confused with")
    for line in class_lines(result):
        confused = f"{line.confused_with} ({line.confused:,})" if line.confused_with else ""
        precision = NONE if line.precision is None else percent(line.precision, 1)
        recall, f1 = (percent(value, 1) if line.images else NONE for value in (line.recall, line.f1))
        table.add_row(
            Text(one_line(line.name)), recall, precision, f1, f"{line.images:,}", Text(one_line(confused))
        )
    return table
