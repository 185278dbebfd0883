"""The page of an evaluation: how good a network is, how far that can be trusted, where it errs."""

from dataclasses import dataclass
from pathlib import Path

from verydeep.atomic_write import atomic_write
from verydeep.evaluate.evaluation import Evaluation
from verydeep.report.reliability_diagram import reliability_diagram
from verydeep.report.pictures import Picture
from verydeep.tables.confusion_matrix import class_lines, confusion_matrix
from verydeep.templates.environment import environment


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """All that is said of one evaluation."""

    title: str
    images: str
    """Which images were measured on, in words."""
    protocol: str
    """How they were shown, in words."""
    evaluation: Evaluation
    pictures: tuple[Picture, ...]
    """The mistakes of which the network was surest."""
    notes: tuple[str, ...]
    """What a reader must know beside the numbers."""
    command: str
    """What to type to repeat it."""


def write_evaluation(report: EvaluationReport, path: Path) -> None:
    """``report`` as a page at ``path``, where a reader never meets half of one."""
    with atomic_write(path) as temporary:
        temporary.write_text(render_evaluation(report), encoding="utf-8")


def render_evaluation(report: EvaluationReport) -> str:
    """The page as HTML, all text escaped."""
    evaluation = report.evaluation
    return (
        environment()
        .get_template("evaluation.html.j2")
        .render(
            report=report,
            intervals=evaluation.intervals,
            matrix=confusion_matrix(evaluation),
            class_lines=class_lines(evaluation),
            figure=reliability_diagram(evaluation.calibration, evaluation.scaled),
            pictures=report.pictures,
        )
    )
