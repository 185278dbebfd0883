"""Where the checkpoint of a run is, and what it says about itself beside its weights. Needs no torch."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open

from verydeep.architecture.description import Description
from verydeep.errors import CheckpointError
from verydeep.weight_files.compact.header import Header, is_compact, read_header

CHECKSUM = "verydeep-checksum"
"""The metadata key of the checksum."""
FILES = ("model.safetensors", "model.vdz")
"""The checkpoint in a run folder: the first of these that is there."""


def read_description(file: Path) -> Description:
    """Everything in the checkpoint ``file`` but its weights, without reading these.

    Raises:
        CheckpointError: where it is broken or not a checkpoint.
    """
    try:
        return parse_description(
            file, compact_metadata(read_header(file)[0]) if is_compact(file) else _metadata_of(file)
        )
    except (SafetensorError, OSError, KeyError) as error:
        raise CheckpointError(f"{file} is not a checkpoint of verydeep: {error}") from None


def _metadata_of(file: Path) -> dict[str, str]:
    with safe_open(file, framework="numpy") as opened:
        return dict(opened.metadata() or {})


def compact_metadata(header: Header) -> dict[str, str]:
    """The metadata of a compact file, as in a safetensors file."""
    return {"verydeep": json.dumps(header.description), CHECKSUM: header.checksum}


def parse_description(file: Path, metadata: Mapping[str, str]) -> Description:
    """The description in the ``metadata`` of ``file``.

    Raises:
        CheckpointError: where it is broken.
        KeyError: where there is none.
    """
    try:
        return Description.from_json(metadata["verydeep"])
    except CheckpointError as error:
        raise CheckpointError(f"{file} {error}") from None


def checkpoint_path(path: Path) -> Path:
    """The file of the checkpoint or run folder ``path``."""
    if not path.is_dir():
        return path
    return next((path / name for name in FILES if (path / name).is_file()), path / FILES[0])


def is_checkpoint(path: Path) -> bool:
    """Whether ``save`` wrote the file at ``path``, by its beginning or its metadata."""
    if is_compact(path):
        return True
    try:
        return "verydeep" in _metadata_of(path)
    except (SafetensorError, OSError):
        return False
