"""A finished `verydeep tune` for the terminal, and as values for JSON."""

from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from verydeep.evaluate.evaluation import Evaluation
from verydeep.number_format import NONE, duration, percent
from verydeep.tables.evaluation_table import class_table, interval_text
from verydeep.tune.result import StrategyResult, TuneResult


def tune_table(result: TuneResult) -> Group:
    """Metrics on the test images, the strategies, and recall, precision and F1 of each class."""
    test = result.test
    groups = f" of {test.groups:,} groups" if test.groups else ""
    headline = Text.assemble(
        (f"Balanced accuracy {percent(test.balanced_accuracy)}", "bold"),
        f"  ({interval_text(test.intervals['balanced_accuracy'])}) on {test.images:,} test images{groups}\n",
        f"accuracy {percent(test.top1)} · macro-F1 {percent(test.macro_f1)} · "
        f"calibration error {percent(test.calibration.error)}{_scaled(test)}\n",
        f"{result.calibration.reason}\n" if result.calibration else "",
        f"chosen: {result.chosen}; {result.reason}\n",
        f"weights: {result.weights_reason}\n" if result.weights_reason else "",
        f"classifier head: {result.head_reason}\n",
        f"fit: {result.fit_reason}\n",
        f"beside {result.comparison.text}\n" if result.comparison else "",
    )
    return Group(headline, _strategies(result), _notes(result), class_table(test))


def _scaled(test: Evaluation) -> str:
    if test.scaled is None:
        return ""
    scaled = test.scaled
    return f", {percent(scaled.calibration.error)} after temperature scaling (T = {scaled.temperature:.2f})"


def _strategies(result: TuneResult) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("strategy", "validation", "95 % interval", "test", "95 % interval", "time"):
        table.add_column(column)
    for each in result.strategies:
        time = duration(each.seconds) if each.seconds else NONE
        table.add_row(each.strategy, *_with_interval(each.validation), *_with_interval(each.test), time)
    return table


def _notes(result: TuneResult) -> Text:
    return Text("".join(f"\n{each.strategy}: {each.note}" for each in result.strategies) + "\n")


def _with_interval(evaluation: Evaluation | None) -> tuple[str, str]:
    """Balanced accuracy, and its interval."""
    if evaluation is None:
        return NONE, ""
    interval = evaluation.intervals["balanced_accuracy"]
    return percent(interval.value), f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def tune_values(result: TuneResult) -> dict[str, Any]:
    """The values of the result, for JSON."""
    return {
        "run": str(result.run),
        "model": result.architecture.name,
        "architecture_string": result.architecture.string,
        "size": result.preprocess.size,
        "fit": result.preprocess.fit,
        "fit_reason": result.fit_reason,
        "head": result.decided.head,
        "head_reason": result.head_reason,
        "weights": result.decided.weights,
        "weights_reason": result.weights_reason or None,
        "chosen": result.chosen,
        "reason": result.reason,
        "test": result.test.values,
        "strategies": [_strategy_values(each) for each in result.strategies],
        "l2": result.probe and result.probe.l2,
        "temperature": result.temperature,
        "calibration": result.calibration and result.calibration.values,
        "changes": result.images.changes and asdict(result.images.changes),
        "comparison": result.comparison and result.comparison.values,
        "broken": [{"name": each.name} | each.values for each in result.images.unreadable],
        "skipped": dict(result.images.reading.skipped),
        "notes": result.images.reading.notes,
        "warnings": result.warnings,
        "seconds": result.seconds,
    }


def _strategy_values(result: StrategyResult) -> dict[str, Any]:
    return {
        "strategy": result.strategy,
        "validation": result.validation and result.validation.values,
        "test": result.test and result.test.values,
        "seconds": result.seconds,
        "forecast_seconds": result.forecast_seconds,
        "epochs": len(result.epochs),
        "best_epoch": result.best_epoch,
        "note": result.note,
    }
