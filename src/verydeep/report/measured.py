"""The table of an evaluation for the terminal."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from verydeep.evaluate.metrics import Evaluation
from verydeep.report.confusions import class_lines
from verydeep.report.numbers import percent, wilson_interval


def evaluation_table(result: Evaluation) -> Group:
    """The headline numbers, and below them each class with what it is most often taken for."""
    low, high = wilson_interval(round(result.top1 * result.images), result.images)
    headline = Text.assemble(
        (f"Accuracy {percent(result.top1)}", "bold"),
        f"  (95 % interval {percent(low)} to {percent(high)}) on {result.images:,} images\n",
        f"balanced accuracy {percent(result.balanced_accuracy)} · macro-F1 {percent(result.macro_f1)} · "
        f"top-5 {percent(result.top5)}\n"
        f"loss {result.loss:.3f} nats · calibration error {percent(result.calibration_error)}\n",
    )
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("class")
    table.add_column("recognised", justify="right")
    table.add_column("images", justify="right")
    table.add_column("most often taken for")
    for line in class_lines(result):
        rival = f"{line.rival} ({line.lost:,})" if line.rival else ""
        table.add_row(line.name, percent(line.recall, 1), f"{line.images:,}", rival)
    return Group(headline, table)  # not as its title, which is wrapped to the width of the table
