"""The page of a training: one HTML file with learning curves, confusion matrix, mistakes and the recipe."""

import re
from pathlib import Path

from verydeep.analyze.trace import trace
from verydeep.atomic_write import write_text
from verydeep.report.charts import line_plots as plots
from verydeep.report.pictures import picture
from verydeep.report.try_it import usages
from verydeep.tables.confusion_matrix import class_lines, confusion_matrix
from verydeep.templates.environment import environment
from verydeep.train.recipe import to_toml
from verydeep.train.result.train_result import TrainResult


def write_training_page(
    result: TrainResult, path: Path, *, run: Path, recipe_name: str, command: str, wall_seconds: float
) -> None:
    """Write ``result`` as a page to ``path``, completely or not at all; arguments as ``render_training``."""
    page = render_training(
        result, run=run, recipe_name=recipe_name, command=command, wall_seconds=wall_seconds
    )
    write_text(path, page)


def render_training(
    result: TrainResult, *, run: Path, recipe_name: str, command: str, wall_seconds: float
) -> str:
    """The page as HTML, all text escaped.

    Args:
        result: a finished training.
        run: its folder, for the commands that use the network.
        recipe_name: the name of its recipe.
        command: the command that reproduces it.
        wall_seconds: from start to end, with startup and evaluation.
    """
    test = result.dataset.test
    return (
        environment()
        .get_template("training_page.html.j2")
        .render(
            result=result,
            title=f"{result.architecture.name} on {result.dataset.name}",
            totals=trace(result.architecture).totals,
            accuracy=result.test.intervals["top1"],
            charts=_charts(result),
            matrix=confusion_matrix(result.test),
            class_lines=class_lines(result.test),
            pictures=tuple(
                picture(mistake, test.picture(mistake.index), result.test_names[mistake.index])
                for mistake in result.mistakes
            ),
            tokens=architecture_tokens(result.architecture.string),
            recipe_name=recipe_name,
            recipe_toml=to_toml(result.recipe),
            command=command,
            wall_seconds=wall_seconds,
            usages=usages(run),
            plots=plots,
        )
    )


def architecture_tokens(architecture: str) -> list[str]:
    """The tokens of an architecture string, which a page colors; a residual block is one token."""
    return re.findall(r"\([^)]*\)\S*|\S+", architecture)


def _charts(result: TrainResult) -> tuple[plots.Chart, ...]:
    if not result.epochs:
        return ()
    return (
        plots.accuracy_chart(result.epochs, result.test, kept=result.best_epoch),
        plots.loss_chart(result.epochs, result.test, kept=result.best_epoch),
        plots.rate_chart(result.epochs),
    )
