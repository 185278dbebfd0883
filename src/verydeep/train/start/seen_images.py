"""Images that pretrained weights were trained on, by their run folders: a test on them would be too good.

The weights of a run may have started from those of another run; all of them count.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from verydeep.data.image_split import trained_parts
from verydeep.data.split_file import SavedImage, is_split, read_saved_images
from verydeep.errors import CheckpointError, DataError
from verydeep.image_sources.samples import Samples
from verydeep.train.run_folder import RunFolder
from verydeep.user_path import is_same_data, user_path
from verydeep.weight_files.checkpoint_description import checkpoint_path, is_checkpoint, read_description

LEAST_LEFT = 0.5
"""The share of a run's images that are there by name and label: with fewer, others have taken their names."""


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
        self,
        samples: Samples,
        among: Int64[np.ndarray, " some"],
        location: str,
        content: Callable[[], Sequence[bytes]],
    ) -> Int64[np.ndarray, " seen"]:
        """The indices of those of ``samples`` that the network was trained on.

        They are recognized by content. Where the run saved none, they are by name, at the same location, if
        most of the run's images are still there.

        Args:
            samples: all images.
            among: the indices that are looked at.
            location: of the images.
            content: gives the hashes of those at ``among``.
        """
        saved = read_saved_images(RunFolder(self.path).split)
        trained = [each for each in saved if each.part in trained_parts(self.origin)]
        if any(each.content for each in saved):
            # A test image with a copy in training is a leak in the data, which its check reports.
            tested = {each.content for each in saved if each.part == "test"}
            hashes = {each.content for each in trained} - tested - {""}
            return among[[each.hex() in hashes for each in content()]]
        if not is_same_data(str(self.origin.get("data", "")), location) or not _are_there(saved, samples):
            return among[:0]
        names = {each.name for each in trained}
        return among[[samples.names[index] in names for index in among.tolist()]]


def _are_there(saved: Sequence[SavedImage], samples: Samples) -> bool:
    labels = [samples.classes[label] for label in samples.labels.tolist()]
    there = set(zip(samples.names, labels, strict=True))
    return sum((each.name, each.label) in there for each in saved) >= LEAST_LEFT * len(saved)


def trained_runs(weights: str | None) -> tuple[TrainedRun, ...]:
    """The run that ``weights`` are of, the one that it started from, and so on, as far as they are here.

    Args:
        weights: as in a recipe; none of a run give no runs.
    """
    found, visited = list[TrainedRun](), set[Path]()
    while weights is not None and (file := _checkpoint_file(weights)) is not None and file not in visited:
        visited.add(file)
        origin = _origin(file)
        if origin and is_split(RunFolder(file.parent).split):
            found.append(TrainedRun(file.parent, origin))
        weights = _started_from(origin)
    return tuple(found)


def _checkpoint_file(weights: str) -> Path | None:
    """None where there is none, or where it may not be looked for: the checkpoint of a stranger names it."""
    try:
        file = checkpoint_path(user_path(weights))
        return file if file.is_file() else None
    except (OSError, ValueError):
        return None


def _origin(file: Path) -> dict[str, Any]:
    """That of a checkpoint; of anything else, which is refused where it is loaded, it is empty."""
    try:
        return dict(read_description(file).origin) if is_checkpoint(file) else {}
    except (CheckpointError, OSError):
        return {}


def _started_from(origin: dict[str, Any]) -> str | None:
    """The weights, or the network to grow from, in the recipe that a checkpoint keeps."""
    if origin.get("strategy") == "scratch":  # its weights gave the architecture only
        return None
    try:
        recipe = tomllib.loads(str(origin.get("recipe", "")))
    except (tomllib.TOMLDecodeError, RecursionError):
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


def other_weights(flag: str, *, is_split_here: bool) -> str:
    """What helps against test images that the weights of ``flag`` were trained on.

    Args:
        flag: that named the weights.
        is_split_here: whether the test images were chosen here, not by whom the images are from.
    """
    if is_split_here:
        return f"Give other {flag}, or split the images as that run did (--seed, --test, --group-by)"
    return f"Give other {flag}, or take these images out of the test part"
