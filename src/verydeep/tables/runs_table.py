"""The runs in a folder as a table, and how they differ in lines."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from verydeep.number_format import duration, percent
from verydeep.saved_runs.saved_run import SavedRun

UNKNOWN = "-"
TEXTS, NUMBERS = ("run", "recipe", "data", "network"), ("epochs", "validation", "test", "training")
"""The columns, and those at the right that are numbers."""


def runs_table(runs: Sequence[SavedRun], folder: Path) -> Table:
    """One row per run."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in TEXTS:
        table.add_column(name, overflow="fold", no_wrap=name == "recipe")
    for name in NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        table.add_row(*run_cells(run, folder))
    return table


def difference_lines(
    runs: Sequence[SavedRun], differences: Sequence[Mapping[str, Any]], folder: Path
) -> Iterator[str]:
    """A line for each run that differs from the others in its settings."""
    for run, each in zip(runs, differences, strict=True):
        if each:
            yield f"{run_name(run, folder)}: {', '.join(setting_texts(each))}"


def setting_texts(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Each setting, such as ``seed 2``."""
    return tuple(f"{key} {UNKNOWN if value is None else value}" for key, value in settings.items())


def run_cells(run: SavedRun, folder: Path) -> tuple[str, ...]:
    """The cells of a row: those of ``TEXTS``, then those of ``NUMBERS``."""
    name = run_name(run, folder)
    return (
        name if run.state == "finished" else f"{name} ({run.state})",
        run.command if run.command == "tune" else str(run.recipe or UNKNOWN),
        run.data or UNKNOWN,
        run.network or UNKNOWN,
        str(run.epochs or UNKNOWN),
        _share(run.val_top1),
        _share(run.test_top1),
        UNKNOWN if run.seconds is None else duration(run.seconds),
    )


def run_name(run: SavedRun, folder: Path) -> str:
    """The path of the run in ``folder``."""
    return run.path.resolve().name if run.path == folder else run.path.relative_to(folder).as_posix()


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else percent(value)
