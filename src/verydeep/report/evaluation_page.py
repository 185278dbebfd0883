"""The page of an evaluation: metrics with confidence intervals, confusion matrix, calibration, mistakes."""

from pathlib import Path

from verydeep.atomic_write import write_text
from verydeep.evaluate.evaluate_images import EvaluationResult
from verydeep.report.pictures import Picture, picture
from verydeep.report.reliability_diagram import reliability_diagram
from verydeep.tables.confusion_matrix import class_lines, confusion_matrix
from verydeep.templates.environment import environment


def write_evaluation_page(result: EvaluationResult, path: Path, *, command: str) -> None:
    """``result`` as an HTML page at ``path``, complete or not at all; ``command`` reproduces it.

    Raises:
        DataError: if the image of a mistake can no longer be read.
    """
    write_text(path, render_evaluation_page(result, command=command))


def render_evaluation_page(result: EvaluationResult, *, command: str) -> str:
    """The page as HTML, with all text escaped."""
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
            command=command,
        )
    )


def _pictures(result: EvaluationResult) -> tuple[Picture, ...]:
    images = result.images
    return tuple(
        picture(mistake, images.thumbnail(mistake.index).numpy(), images.name_of(mistake.index))
        for mistake in result.mistakes
    )
