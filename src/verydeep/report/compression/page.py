"""The page of ``verydeep compress``: the trade-off, both architectures, and what changed class by class."""

from pathlib import Path

from verydeep.atomic_write import write_text
from verydeep.compress.result import CompressResult
from verydeep.evaluate.metrics import accuracy, balanced_accuracy
from verydeep.machine import processor_name, system_name
from verydeep.report.charts import line_plots as plots
from verydeep.report.compression import layers, rows
from verydeep.report.compression.class_changes import class_changes
from verydeep.report.compression.diagrams import both_diagrams
from verydeep.report.compression.disagreements import disagreements
from verydeep.report.compression.dots import dot_kinds
from verydeep.report.compression.sentences import (
    headline,
    measure_name,
    points,
    verdict,
)
from verydeep.report.compression.trade_off import trade_offs
from verydeep.report.training_page import architecture_tokens
from verydeep.report.try_it import usages
from verydeep.templates.environment import environment


def write_compression_page(result: CompressResult, path: Path, *, command: str) -> None:
    """``result`` as an HTML page at ``path``, complete or not at all; arguments as the next function."""
    write_text(path, render_compression_page(result, command=command))


def render_compression_page(result: CompressResult, *, command: str) -> str:
    """The page as HTML, with all text escaped.

    Args:
        result: of the compression.
        command: the command that reproduces it.
    """
    value, chosen = _original_value(result), rows.result_index(result)
    candidates = list(result.candidates)
    architectures = result.source.model.architecture, result.network.model.architecture
    classes = class_changes(result.comparison)
    return (
        environment()
        .get_template("compress_page.html.j2")
        .render(
            result=result,
            headline=headline(result),
            verdict=tuple(verdict(result)),
            measure=measure_name(result),
            points=points,
            is_labeled=result.comparison.labels is not None,
            trade_offs=trade_offs(candidates, chosen, value, measure_name(result), result.settings.limit),
            rows=rows.candidate_rows(result, value),
            columns=rows.CANDIDATE_COLUMNS,
            max_rows=rows.MAX_ROWS,
            dot_kinds=dot_kinds(candidates),
            before_after=tuple(rows.before_after(result, value)),
            architectures=architectures,
            tokens=[architecture_tokens(each.string) for each in architectures],
            diagrams=both_diagrams(*architectures),
            layers=layers.layer_costs(*architectures),
            max_layers=layers.MAX_ROWS,
            classes=classes,
            most_moved=max(1, *(max(each.lost, each.won) for each in classes)),
            different=disagreements(result.comparison),
            usages=usages(result.run),
            command=command,
            machine={"processor": processor_name(), "system": system_name()},
            plots=plots,
        )
    )


def _original_value(result: CompressResult) -> float:
    """What the original has of the measure that decides, in [0, 1]; agreement with itself is 1."""
    comparison = result.comparison
    if comparison.labels is None:
        return 1.0
    measure = balanced_accuracy if result.balanced else accuracy
    return measure(comparison.before, comparison.labels)
