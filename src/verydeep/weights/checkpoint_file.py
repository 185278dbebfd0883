"""The checkpoint: tensors, architecture string, preprocessing, class names and origin in one file.

The file is safetensors, which holds tensors and text and cannot hold code. The text is JSON under the
metadata key ``verydeep``; pydantic reads it, so that an error names the wrong or missing field.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from verydeep.architecture.architecture import Architecture, Norm
from verydeep.architecture.preprocess import Preprocess
from verydeep.atomic_write import atomic_write
from verydeep.errors import CheckpointError, VeryDeepError
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.weights.checks import abbreviated, non_finite

FORMAT = 1


class _Architecture(BaseModel):
    """An architecture string, and the settings that it does not contain."""

    model_config = ConfigDict(extra="forbid")

    name: str
    string: str
    norm: Norm
    conv_bias: bool
    dropout: Annotated[float, Ge(0), Lt(1)]
    dropout_first: bool
    input: tuple[int, int, int]


class _Description(BaseModel):
    """The JSON of a checkpoint."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1]
    architecture: _Architecture
    preprocess: dict[str, Any]
    classes: list[str]
    origin: dict[str, Any]


def save(checkpoint: Checkpoint, path: Path | str) -> None:
    """Write ``checkpoint`` to ``path``; on an error, ``path`` stays as it was."""
    tensors = {
        name: value.detach().cpu().contiguous() for name, value in checkpoint.model.state_dict().items()
    }
    with atomic_write(Path(path)) as temporary:
        save_file(tensors, temporary, {"verydeep": json.dumps(_describe(checkpoint))})


def _describe(checkpoint: Checkpoint) -> dict[str, Any]:
    architecture = checkpoint.model.architecture
    return {
        "format": FORMAT,
        "architecture": {name: getattr(architecture, name) for name in _Architecture.model_fields},
        "preprocess": checkpoint.preprocess.to_dict(),
        "classes": list(checkpoint.classes),
        "origin": checkpoint.origin,
    }


def load(path: Path | str) -> Checkpoint:
    """The network in the checkpoint or run folder ``path``, in evaluation mode.

    Raises:
        CheckpointError: where the file does not exist, is broken, was not written by ``save``, or holds
            tensors that do not fit its architecture.
    """
    path = Path(path)
    file = path / "model.safetensors" if path.is_dir() else path
    tensors, description = _read(file)
    try:
        architecture = _architecture(description)
        preprocess = Preprocess.from_dict(description.preprocess)
    except VeryDeepError as error:
        raise CheckpointError(f"{file}: {error}") from None
    model = build_empty(architecture)
    _check_fit(file, model, tensors)
    model.load_state_dict(tensors, assign=True)
    return Checkpoint(model.eval(), preprocess, tuple(description.classes), description.origin)


def is_checkpoint(path: Path) -> bool:
    """Whether ``save`` wrote the file at ``path``, by its metadata."""
    try:
        with safe_open(path, framework="pt") as opened:
            return "verydeep" in (opened.metadata() or {})
    except (SafetensorError, OSError):
        return False


def _read(file: Path) -> tuple[dict[str, Tensor], _Description]:
    if not file.is_file():
        raise CheckpointError(f"there is no checkpoint at {file}. Give a run folder or a .safetensors file")
    try:
        with safe_open(file, framework="pt") as opened:
            text = (opened.metadata() or {}).get("verydeep")
            names = opened.keys()  # the opened file is not a mapping and cannot be iterated itself
            tensors = {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{file} ({file.stat().st_size:,} bytes) is broken or not a safetensors file: {error}. "
            "Copy or train it again"
        ) from None
    if text is None:
        raise CheckpointError(
            f"{file} is not a verydeep checkpoint: it holds tensors without an architecture. Load it with "
            "verydeep.load, or convert it with `verydeep weights import`"
        )
    return tensors, _parse(file, text)


def _parse(file: Path, text: str) -> _Description:
    try:
        return _Description.model_validate_json(text)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the metadata'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise CheckpointError(
            f"{file} holds metadata that this version of verydeep cannot read: {problems}"
        ) from None


def _architecture(description: _Description) -> Architecture:
    saved = description.architecture
    settings = saved.model_dump(exclude={"string", "name"})
    return Architecture.from_string(
        saved.string, saved.name, classes=max(1, len(description.classes)), **settings
    )


def _check_fit(file: Path, model: Classifier, tensors: dict[str, Tensor]) -> None:
    expected = model.state_dict()
    wrong_shape = [
        name for name in expected.keys() & tensors.keys() if expected[name].shape != tensors[name].shape
    ]
    problems = {
        "missing": sorted(expected.keys() - tensors.keys()),
        "unexpected": sorted(tensors.keys() - expected.keys()),
        "wrong shape": sorted(wrong_shape),
        "not finite": sorted(non_finite(tensors)),
    }
    text = "; ".join(f"{what}: {abbreviated(names)}" for what, names in problems.items() if names)
    if text:
        raise CheckpointError(
            f"{file} holds tensors that do not fit its architecture {model.architecture.string!r}. {text}. "
            "Copy or train it again"
        )
