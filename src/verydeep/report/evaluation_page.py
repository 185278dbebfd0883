"""The page of an evaluation: metrics with confidence intervals, confusion matrix, calibration, mistakes."""

from pathlib import Path

from verydeep.atomic_write import write_text
from verydeep.data.label_file import LabelsToCorrect
from verydeep.evaluate.evaluate_images import EvaluationResult
from verydeep.report.charts.reliability_diagram import reliability_diagram
from verydeep.report.pictures import Picture, picture
from verydeep.tables.confusion_matrix import class_lines, confusion_matrix
from verydeep.templates.environment import environment


def write_evaluation_page(
    result: EvaluationResult, path: Path, *, command: str, labels: LabelsToCorrect | None = None
) -> None:
    """``result`` as an HTML page at ``path``, or none; arguments as ``render_evaluation_page``.

    Raises:
        DataError: if the image of a mistake can no longer be read.
    """
    write_text(path, render_evaluation_page(result, command=command, labels=labels))


def render_evaluation_page(
    result: EvaluationResult, *, command: str, labels: LabelsToCorrect | None = None
) -> str:
    """The page as HTML, with all text escaped.

    Args:
        result: of the evaluation.
        command: the command that reproduces the page.
        labels: the list of doubtful labels beside it, if there are any.
    """
    evaluation = result.evaluation
    return (
        environment()
        .get_template("evaluation_page.html.j2")
        .render(
            title=f"{result.network} on {result.images.name}",
            images=result.images.description,
            protocol=result.protocol.description,
            evaluation=evaluation,
            intervals=evaluation.intervals,
            notes=result.notes,
            matrix=confusion_matrix(evaluation),
            class_lines=class_lines(evaluation),
            figure=reliability_diagram(evaluation.calibration, evaluation.scaled),
            pictures=_pictures(result),
            labels=labels,
            command=command,
        )
    )


def _pictures(result: EvaluationResult) -> tuple[Picture, ...]:
    images = result.images
    return tuple(
        picture(mistake, images.thumbnail(mistake.index), images.name_of(mistake.index))
        for mistake in result.mistakes
    )
