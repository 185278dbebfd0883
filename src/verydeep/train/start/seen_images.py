"""Images that pretrained weights were trained on, by their run folders: a test on them would be too good.

The weights of a run may have started from those of another run; all of them count.
"""

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from verydeep.data.split_file import is_split, read_saved_images
from verydeep.errors import CheckpointError, DataError
from verydeep.image_sources.samples import Samples
from verydeep.train.run_folder import RunFolder
from verydeep.train.unfinished_run import is_same_data
from verydeep.user_path import user_path
from verydeep.weight_files.checkpoint_description import checkpoint_path, is_checkpoint, read_description


@dataclass(frozen=True)
class TrainedRun:
    """A run folder with a network, and what the network tells of its training."""

    path: Path
    origin: dict[str, Any]

    @property
    def is_probe(self) -> bool:
        """Whether its convolutions are those that it started from: only the last layer was trained."""
        return self.origin.get("strategy") == "linear-probe" and "compress" not in self.origin

    def seen(
        self, samples: Samples, location: str, content: Callable[[], Sequence[bytes]]
    ) -> Int64[np.ndarray, " seen"]:
        """The indices of those of ``samples`` that the network was trained on, or chosen by.

        They are recognized by content; by name, where the run saved no content, at the same location only.
        """
        # The linear probe of a tuning learns from its validation images too.
        parts = ("train", "val") if "strategy" in self.origin else ("train",)
        trained = [each for each in read_saved_images(RunFolder(self.path).split) if each.part in parts]
        hashes = {each.content for each in trained} - {""}
        if hashes:
            return _indices(each.hex() in hashes for each in content())
        if not is_same_data(str(self.origin.get("data", "")), location):
            return np.array([], dtype=np.int64)
        names = {each.name for each in trained}
        return _indices(name in names for name in samples.names)


def _indices(is_seen: Iterator[bool]) -> Int64[np.ndarray, " seen"]:
    return np.flatnonzero(np.fromiter(is_seen, dtype=np.bool_))


def trained_runs(weights: str | None) -> tuple[TrainedRun, ...]:
    """The run that ``weights`` are of, the one that it started from, and so on, as far as they are here.

    Args:
        weights: as in a recipe; none of a run give no runs.
    """
    found: dict[Path, TrainedRun] = {}
    while weights is not None:
        path = user_path(weights)
        folder = path if path.is_dir() else path.parent
        origin = {} if folder in found else _origin(checkpoint_path(path))
        if origin and is_split(RunFolder(folder).split):
            found[folder] = TrainedRun(folder, origin)
        weights = _started_from(origin)
    return tuple(found.values())


def _origin(file: Path) -> dict[str, Any]:
    """That of a checkpoint; of anything else, which is refused where it is loaded, it is empty."""
    try:
        return dict(read_description(file).origin) if is_checkpoint(file) else {}
    except CheckpointError:
        return {}


def _started_from(origin: dict[str, Any]) -> str | None:
    """The weights, or the network to grow from, in the recipe that a checkpoint keeps."""
    if origin.get("strategy") == "scratch":  # its weights gave the architecture only
        return None
    try:
        recipe = tomllib.loads(str(origin.get("recipe", "")))
    except tomllib.TOMLDecodeError:
        return None
    weights = recipe.get("weights") or recipe.get("grow_from")
    return weights if isinstance(weights, str) else None


def require_unseen_test(
    samples: Samples, seen: Int64[np.ndarray, " seen"], run: TrainedRun, remedy: str
) -> None:
    """Refuse test images among those at ``seen``, which ``run`` was trained on.

    Raises:
        DataError: with the ``remedy``.
    """
    test = samples.of_parts("test")
    both = np.intersect1d(test, seen)
    if len(both):
        example = samples.names[both[0]]
        raise DataError(
            f"{len(both):,} of the {len(test):,} test images of {samples.name} were trained on in {run.path}"
            f", such as {example}: with its weights, the test would be too good. {remedy}"
        )
