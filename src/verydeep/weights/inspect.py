"""The contents of a weight file, as a value to show: network, layout, and missing and unexpected keys.

The steps are those of loading (load.py), up to the preprocessing.
"""

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from verydeep.architecture.preprocess import Preprocess
from verydeep.user_path import user_path
from verydeep.weight_files import checkpoint_file
from verydeep.weight_files.checkpoint_description import checkpoint_path, is_checkpoint
from verydeep.weight_files.read import WeightFile, read_weights
from verydeep.weights.catalog import refuse_published_name
from verydeep.weights.compare import Match
from verydeep.weights.match import match_network
from verydeep.weights.mismatch import mismatch_text, other_network_text, unexpected_text
from verydeep.weights.preprocessing import STATED, preprocess_of


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The contents of a weight file. ``network`` is None where it is unknown; ``problem`` then says why."""

    file: Path
    bytes: int
    sha256: str
    format: str
    """``verydeep``, ``torch``, ``safetensors``, ``keras``, ``onnx`` or ``npz``."""
    layout: str | None = None
    """The keys and tensor layouts: a row of the table in ``key_maps.py``, or ``verydeep``."""
    network: str | None = None
    architecture_string: str | None = None
    has_head: bool = False
    """False where the file holds the features alone."""
    classes: int | None = None
    channels: int | None = None
    preprocess: Preprocess | None = None
    preprocess_source: str = ""
    """How the preprocessing is known: from metadata, the file name, the first convolution or the layout."""
    tensors: int
    parameters: int
    """Numbers in all tensors, with the running statistics of batch norms."""
    dtypes: tuple[str, ...]
    container: str = ""
    prefixes: tuple[str, ...] = ()
    ignored_copies: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    """Counters, losses and metrics of the training."""
    problem: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        preprocess = self.preprocess.to_dict() if self.preprocess else None
        return asdict(self) | {"file": str(self.file), "preprocess": preprocess}


def inspect(path: Path | str) -> Contents:
    """The contents of the weight file, checkpoint or run folder at ``path``; no code in it is run.

    Raises:
        CheckpointError: where the file cannot be read; not where its network is unknown.
    """
    refuse_published_name(path)
    path = checkpoint_path(user_path(path))
    file = read_weights(path)
    if is_checkpoint(path):
        return _of_checkpoint(file)
    match = match_network(file)
    if isinstance(match, Match):
        return Contents(**_of_any_file(file), **_of_match(file, match))
    return Contents(**_of_any_file(file), problem=mismatch_text(path, match, file.shapes))


def _of_any_file(file: WeightFile) -> dict[str, Any]:
    with file.path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    dtypes = Counter(str(value.dtype).removeprefix("torch.") for value in file.tensors.values())
    return {
        "file": file.path,
        "bytes": file.path.stat().st_size,
        "sha256": digest,
        "format": file.format,
        "tensors": len(file.tensors),
        "parameters": sum(value.numel() for value in file.tensors.values()),
        "dtypes": tuple(name for name, _ in dtypes.most_common()),
        "container": file.container,
        "prefixes": file.prefixes,
        "ignored_copies": file.ignored_copies,
    }


def _of_match(file: WeightFile, match: Match) -> dict[str, Any]:
    preprocess, source = preprocess_of(file, match)
    return {
        "layout": match.layout.name,
        "network": match.architecture.name,
        "architecture_string": match.architecture.string,
        "has_head": match.has_head,
        "classes": match.architecture.classes if match.has_head else None,
        "channels": match.architecture.input[0],
        "preprocess": preprocess,
        "preprocess_source": source,
        "matched": tuple(row.file_key for row in match.rows),
        "missing": match.missing,
        "unexpected": match.unexpected,
        "ignored": match.ignored,
        "problem": other_network_text(file)
        or (unexpected_text(file.path, match) if match.unexpected else ""),
    }


def _of_checkpoint(file: WeightFile) -> Contents:
    loaded = checkpoint_file.load(file.path)
    architecture = loaded.model.architecture
    return Contents(
        **_of_any_file(file) | {"format": "verydeep"},
        layout="verydeep",
        network=architecture.name,
        architecture_string=architecture.string,
        has_head=bool(loaded.classes),
        classes=len(loaded.classes) or None,
        channels=architecture.input[0],
        preprocess=loaded.preprocess,
        preprocess_source=STATED,
        matched=tuple(file.tensors),
    )
