"""What is in a weight file, as a value to show: the network, the layout, what matched and what did not."""

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError
from verydeep.weights import checkpoint_file as checkpoint
from verydeep.weights.checks import some
from verydeep.weights.match import Match, Near, match_network
from verydeep.weights.preprocessing import STATED, preprocess_of, stated
from verydeep.weights.read import WeightFile, read_weights


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A weight file looked into. ``network`` is None where it is none that is known; ``problem`` says why."""

    file: Path
    bytes: int
    sha256: str
    kind: str
    """``verydeep``, ``torch``, ``safetensors``, ``keras``, ``onnx`` or ``npz``."""
    layout: str | None = None
    """Whose names and forms: a row of the table in ``keymaps.py``, or ``verydeep``."""
    network: str | None = None
    architecture_string: str | None = None
    has_head: bool = False
    """False where only the features are there."""
    classes: int | None = None
    channels: int | None = None
    preprocess: Preprocess | None = None
    preprocess_known: str = ""
    """By what the preprocessing is known: the file itself, its name, its first convolution, or convention."""
    tensors: int
    parameters: int
    """Numbers in all tensors, running statistics of batch norms included."""
    types: tuple[str, ...]
    container: str = ""
    prefixes: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    problem: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        preprocess = self.preprocess.to_dict() if self.preprocess else None
        return asdict(self) | {"file": str(self.file), "preprocess": preprocess}


def inspect(path: Path | str) -> Contents:
    """What is in the weight file, the checkpoint or the run folder at ``path``; nothing in it is run.

    Raises:
        CheckpointError: where the file cannot be read; not where its network is unknown.
    """
    path = Path(path).expanduser()
    path = path / "model.safetensors" if path.is_dir() else path
    file = read_weights(path)
    if checkpoint.is_checkpoint(path):
        return _of_checkpoint(path, file)
    found = match_network(file)
    common = _common(path, file)
    if isinstance(found, Match):
        return Contents(**common, **_of_match(file, found))
    return Contents(**common, problem=problem(path, found))


def _common(path: Path, file: WeightFile) -> dict[str, Any]:
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    types = Counter(str(value.dtype).removeprefix("torch.") for value in file.tensors.values())
    return {
        "file": path,
        "bytes": path.stat().st_size,
        "sha256": digest,
        "kind": file.kind,
        "tensors": len(file.tensors),
        "parameters": sum(value.numel() for value in file.tensors.values()),
        "types": tuple(name for name, _ in types.most_common()),
        "container": file.container,
        "prefixes": file.prefixes,
        "passed_over": file.passed_over,
    }


def _of_match(file: WeightFile, match: Match) -> dict[str, Any]:
    preprocess, known = preprocess_of_match(file, match)
    return {
        "layout": match.layout.name,
        "network": match.architecture.name,
        "architecture_string": match.architecture.string,
        "has_head": match.has_head,
        "classes": match.architecture.classes if match.has_head else None,
        "channels": match.architecture.input[0],
        "preprocess": preprocess,
        "preprocess_known": known,
        "matched": tuple(entry.theirs for entry in match.entries),
        "missing": match.missing,
        "left_over": match.left_over,
    }


def preprocess_of_match(file: WeightFile, match: Match) -> tuple[Preprocess, str]:
    """What the network of the match sees, at its own number of colors and size, and how that is known."""
    entry = match.entries[0]
    stem = entry.form.here(file.tensors[entry.theirs])
    convention = match.layout.preprocess
    preprocess, known = stated(file.text, convention) or preprocess_of(
        file.path, stem, convention, match.layout.name
    )
    channels, size, _ = match.architecture.input
    return preprocess.for_input(channels, size), known


def _of_checkpoint(path: Path, file: WeightFile) -> Contents:
    whole = checkpoint.load(path)
    architecture = whole.model.architecture
    return Contents(
        **_common(path, file) | {"kind": "verydeep"},
        layout="verydeep",
        network=architecture.name,
        architecture_string=architecture.string,
        has_head=bool(whole.classes),
        classes=len(whole.classes) or None,
        channels=architecture.input[0],
        preprocess=whole.preprocess,
        preprocess_known=STATED,
        matched=tuple(file.tensors),
    )


def problem(path: Path, found: Near | None) -> str:
    """Why no network was recognized, and what to do."""
    if found is None:
        return (
            f"{path} holds no network that is known: neither its names nor its shapes are those of VGG, "
            "AlexNet or ResNet. `verydeep list` shows what is known"
        )
    kinds = {
        "missing": found.missing, "of another shape": found.of_another_shape, "left over": found.left_over,
    }  # fmt: skip
    said = "; ".join(f"{what}: {some(names)}" for what, names in kinds.items() if names)
    return (
        f"{path} comes nearest to {found.name} in the {found.layout} layout and is not that: {said}. "
        "Where only its features are wanted, say so: features_only=True, --features-only"
    )


def left_over_error(path: Path, match: Match) -> CheckpointError:
    """The error for a file that holds a network and more."""
    return CheckpointError(
        f"{path} holds {match.architecture.name} and more: {some(match.left_over)} would be left over. Where "
        "its features are wanted without the rest, say so: features_only=True, --features-only"
    )
