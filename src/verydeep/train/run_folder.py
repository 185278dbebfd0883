"""The run folder: the files that a training leaves on disk, and what it resumes from.

model.safetensors   the network, complete (weight_files/checkpoint_file.py)
recipe.toml         the training recipe, every value written out
tune.toml           of `verydeep tune`: what was asked, and once it is finished what was decided
metrics.jsonl       one line per epoch; of `verydeep tune` metrics-fine-tune.jsonl and metrics-scratch.jsonl
report.html         one page that needs no other file
doubtful-labels.csv of `verydeep tune`: images whose label is doubtful, if any (data/label_file.py)
split.csv           of your own images: which were for training, validation and test (data/split_file.py)
state/              what resuming needs; removed when the run is finished
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from verydeep.atomic_write import write_text
from verydeep.data.split_file import SPLIT_FILE
from verydeep.errors import CheckpointError
from verydeep.file_name import file_name
from verydeep.foreign_text import error_text
from verydeep.train.epoch_result import EpochResult

SHELL_SIGNS = r"[^.\w\u0080-\U0010ffff-]+|[\s\u200b]+"
"""Of ASCII all but letters, digits and ``. _ -``, and white space of any script."""


@dataclass(frozen=True)
class RunFolder:
    """The files in a run's folder."""

    path: Path

    @property
    def model(self) -> Path:
        """The checkpoint."""
        return self.path / "model.safetensors"

    @property
    def recipe(self) -> Path:
        """The recipe of a training as TOML."""
        return self.path / "recipe.toml"

    @property
    def tune(self) -> Path:
        """The decisions of `verydeep tune` as TOML."""
        return self.path / "tune.toml"

    @property
    def split(self) -> Path:
        """Which part each of your own images belongs to."""
        return self.path / SPLIT_FILE

    @property
    def doubtful_labels(self) -> Path:
        """Your own images whose label is doubtful, as CSV; `verydeep data relabel` applies corrections."""
        return self.path / "doubtful-labels.csv"

    @property
    def metrics(self) -> Path:
        """One JSON object per line and epoch."""
        return self.path / "metrics.jsonl"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def state(self) -> Path:
        """The training state; present while the run is unfinished."""
        return self.path / "state" / "state.pt"

    @property
    def plan(self) -> Path:
        """What `verydeep tune` has planned for fine-tuning, as JSON; present while the run is unfinished."""
        return self.path / "state" / "plan.json"

    def state_of(self, strategy: str) -> Path:
        """The training state of one strategy of `verydeep tune`."""
        return self.path / "state" / f"{strategy}.pt"

    def metrics_of(self, strategy: str) -> Path:
        """The epochs of one strategy of `verydeep tune`."""
        return self.path / f"metrics-{strategy}.jsonl"

    @property
    def start(self) -> Path:
        """What the run was started with (unfinished_run.py); present while the run is unfinished."""
        return self.path / "state" / "start.json"

    @property
    def is_unfinished(self) -> bool:
        """Whether there is something to resume."""
        return self.start.is_file()


def run_name(recipe: str, data: str) -> str:
    """A folder name such as ``fast-fashion-mnist`` for a recipe and a data set, both names or paths.

    Letters of every script are kept, in NFC. White space and the signs of a shell become ``-``: the name is
    typed again in the next command.
    """
    path = Path(data).resolve()
    parts = (Path(recipe).stem, path.name if path.is_dir() else path.stem)
    names = (re.sub(SHELL_SIGNS, "-", part).strip("-") for part in parts)
    return file_name("-".join(name or "data" for name in names), "run")


def write_metrics(path: Path, epochs: Iterable[EpochResult]) -> None:
    """Every epoch so far as a line of JSON."""
    write_text(path, "".join(json.dumps(asdict(epoch)) + "\n" for epoch in epochs))


def read_metrics(path: Path, epochs: int | None = None) -> list[EpochResult]:
    """The first ``epochs`` epochs of a run; None is as many as there are.

    Raises:
        CheckpointError: where the file is damaged.
    """
    if not path.exists():
        return []
    try:
        return _EPOCHS.validate_python(
            [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:epochs]]
        )
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error_text(error)}. Start over with --new") from None


_EPOCHS = TypeAdapter(list[EpochResult])
