"""A finished run of `verydeep tune` that another one continues: its network, its decisions, its images."""

from dataclasses import dataclass
from pathlib import Path

from verydeep.added_images.finished_tuning import require_finished_tuning
from verydeep.data.split_file import SavedImage, read_saved_images
from verydeep.models.checkpoint import Checkpoint
from verydeep.weight_files.checkpoint_file import load


@dataclass(frozen=True, kw_only=True)
class EarlierRun:
    """What a finished tuning leaves to the next one."""

    path: Path
    network: Checkpoint
    images: tuple[SavedImage, ...]
    """Those it was trained and tested on, each with its part of the split."""


def read_earlier_run(path: Path) -> EarlierRun:
    """The finished tuning in the run folder ``path``.

    Raises:
        CheckpointError: where there is none, or its network cannot be read.
        DataError: where its split cannot be read.
    """
    folder = require_finished_tuning(path)
    return EarlierRun(path=path, network=load(path), images=read_saved_images(folder.split))
