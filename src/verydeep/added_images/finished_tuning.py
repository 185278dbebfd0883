"""Whether a folder is that of a finished `verydeep tune`. Needs no torch."""

import shlex
from pathlib import Path

from verydeep.errors import CheckpointError
from verydeep.train.run_folder import RunFolder
from verydeep.train.unfinished_run import read_start


def require_finished_tuning(path: Path) -> RunFolder:
    """The run folder ``path``, where it holds a finished tuning.

    Raises:
        CheckpointError: naming what it holds instead, and what to do.
    """
    folder = RunFolder(path)
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise CheckpointError(f"{path} {what}; --from needs the run folder of a finished `verydeep tune`")
    if folder.is_unfinished and read_start(folder).job == "tune":
        raise CheckpointError(
            f"{path} is unfinished: there is nothing to continue from yet. Finish it first, by the command "
            f"that began it or by `verydeep tune FOLDER --resume --out {shlex.quote(str(path))}`"
        )
    missing = [file.name for file in (folder.model, folder.tune, folder.split) if not file.is_file()]
    if missing:
        raise CheckpointError(
            f"{path} is no run of `verydeep tune`: it has no {', '.join(missing)}. --from continues only "
            "those; to begin with the network of another run, give it as --weights"
        )
    return folder
