"""A finished run of `verydeep tune` that another one continues: its network, its decisions, its images."""

from dataclasses import dataclass
from pathlib import Path

from verydeep.data.split_file import SavedImage, read_saved_images
from verydeep.errors import CheckpointError
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.run_folder import RunFolder
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


def require_finished_tuning(path: Path) -> RunFolder:
    """The run folder ``path``, where it holds a finished tuning.

    Raises:
        CheckpointError: naming what it holds instead, and what to do.
    """
    folder = RunFolder(path)
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise CheckpointError(f"{path} {what}; --from needs the run folder of a finished `verydeep tune`")
    if folder.is_unfinished:
        raise CheckpointError(
            f"{path} is unfinished: there is nothing to continue from yet. Finish it first, by the command "
            f"that began it or by `verydeep tune FOLDER --resume --out {path}`"
        )
    missing = [file.name for file in (folder.model, folder.tune, folder.split) if not file.is_file()]
    if missing:
        raise CheckpointError(
            f"{path} is no run of `verydeep tune`: it has no {', '.join(missing)}. --from continues only "
            "those; to begin with the network of another run, give it as --weights"
        )
    return folder
