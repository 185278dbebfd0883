"""Event files of TensorBoard: the epochs of finished and unfinished runs, each run in a folder of its own."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from verydeep.errors import DataError
from verydeep.foreign_text import markdown_text
from verydeep.saved_runs.saved_run import SavedRun
from verydeep.train.run_folder import RunFolder

SUFFIX = ".verydeep"
"""At the end of the names of our files, by which they are found when they are written again."""


def require_tensorboard() -> None:
    """Check that the package is installed.

    Raises:
        DataError: if it is not, with the extra that brings it.
    """
    if find_spec("tensorboard") is None:
        raise DataError("--tensorboard needs tensorboard. Install it: pip install 'verydeep[tensorboard]'")


def write_event_files(runs: Mapping[str, SavedRun], path: Path) -> int:
    """Write the epochs of ``runs`` below ``path``, in a folder for each name; how many runs have some.

    Scalars have the names of ``metrics.jsonl``; the relative time is that of training. The files that an
    earlier call has written for these runs are replaced.
    """
    trained = {name: run for name, run in runs.items() if run.history}
    for name, run in trained.items():
        _write(run, path / name)
    return len(trained)


def _write(run: SavedRun, path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter  # an extra

    for old in path.glob(f"events.out.tfevents.*{SUFFIX}"):
        old.unlink()
    folder = RunFolder(run.path)
    start = (folder.recipe if folder.recipe.is_file() else folder.tune).stat().st_mtime
    writer: Any = SummaryWriter(str(path), filename_suffix=SUFFIX)  # torch has no types for it
    with writer:
        writer.add_text("settings", _settings(run), walltime=start)
        for epoch in run.history:
            for name, value in asdict(epoch).items():
                if isinstance(value, float):
                    writer.add_scalar(name, value, epoch.epoch, walltime=start + epoch.seconds)


def _settings(run: SavedRun) -> str:
    """A table in Markdown."""
    rows = [
        f"| {key} | {markdown_text(str(value))} |" for key, value in run.settings.items() if value is not None
    ]
    return "\n".join(["| setting | value |", "|---|---|", *rows])
