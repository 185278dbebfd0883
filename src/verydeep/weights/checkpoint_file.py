"""One file that is a whole network: tensors, layer string, preprocessing, class names, where it came from.

The file is safetensors, which holds tensors and text and can carry no code. The text is JSON under the
key ``verydeep``; it is read with pydantic, so that a wrong or missing field is named.
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
from verydeep.weights.checks import not_finite, some

FORMAT = 1


class _Architecture(BaseModel):
    """An architecture as text; what a line leaves open stands beside it."""

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
    """Write ``checkpoint`` to ``path`` whole or not at all."""
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
    """The network saved in ``path``, or in the run folder ``path``, ready to predict.

    Raises:
        CheckpointError: where there is no such file, or it is broken, foreign or does not fit itself.
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
    """Whether the file at ``path`` is one that ``save`` wrote, by its text; weights of others are none."""
    try:
        with safe_open(path, framework="pt") as opened:
            return "verydeep" in (opened.metadata() or {})
    except (SafetensorError, OSError):
        return False


def _read(file: Path) -> tuple[dict[str, Tensor], _Description]:
    if not file.is_file():
        raise CheckpointError(f"there is no checkpoint at {file}. Give a run folder, or a .safetensors file")
    try:
        with safe_open(file, framework="pt") as opened:
            text = (opened.metadata() or {}).get("verydeep")
            names = opened.keys()  # a file is no mapping: it cannot be iterated itself
            tensors = {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{file} ({file.stat().st_size:,} bytes) is broken or no safetensors file: {error}. "
            "Copy or train it again"
        ) from None
    if text is None:
        raise CheckpointError(f"{file} holds tensors but not their network: verydeep did not write it")
    return tensors, _parse(file, text)


def _parse(file: Path, text: str) -> _Description:
    try:
        return _Description.model_validate_json(text)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the text'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise CheckpointError(f"{file} describes no network that this version can read: {problems}") from None


def _architecture(description: _Description) -> Architecture:
    text = description.architecture
    settings = text.model_dump(exclude={"string", "name"})
    return Architecture.from_string(
        text.string, text.name, classes=max(1, len(description.classes)), **settings
    )


def _check_fit(file: Path, model: Classifier, tensors: dict[str, Tensor]) -> None:
    expected = model.state_dict()
    missing, extra = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    wrong = sorted(
        name for name in expected.keys() & tensors.keys() if expected[name].shape != tensors[name].shape
    )
    bad = sorted(not_finite(tensors))
    problems = {"missing": missing, "left over": extra, "of another shape": wrong, "not finite": bad}
    if said := "; ".join(f"{what}: {some(names)}" for what, names in problems.items() if names):
        raise CheckpointError(f"{file} does not fit its own network {model.architecture.string!r}. {said}")
