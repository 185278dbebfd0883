"""The checkpoint: tensors, architecture string, preprocessing, class names and origin in one file.

The file is safetensors, which holds tensors and text and cannot hold code. The text is JSON under the
metadata key ``verydeep``, in the form of ``architecture/description.py``. A file with the suffix ``.vdz`` is
the compact form (``compact/file.py``), which expands to the same tensors.
"""

import json
import shlex
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from safetensors.torch import save_file
from torch import Tensor

from verydeep.atomic_write import atomic_write
from verydeep.errors import CheckpointError
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.name_list import first_names
from verydeep.weight_files.checkpoint_description import (
    CHECKSUM,
    checkpoint_path,
    compact_metadata,
    parse_description,
)
from verydeep.weight_files.checks import check_type, non_finite
from verydeep.weight_files.compact import file as compact_file
from verydeep.weight_files.compact.header import SUFFIX as COMPACT_SUFFIX
from verydeep.weight_files.compact.header import is_compact
from verydeep.weight_files.tensor_checksum import PREFIX, tensor_checksum


def save(checkpoint: Checkpoint, path: Path | str) -> None:
    """Write ``checkpoint`` to ``path``; on an error, ``path`` stays as it was.

    With the suffix ``.vdz`` it is a compact file, which is small if the weights are integers times scales.
    """
    path = Path(path)
    tensors = _tensors(checkpoint)
    with atomic_write(path) as temporary:
        if path.suffix == COMPACT_SUFFIX:
            temporary.write_bytes(compact_file.to_bytes(tensors, checkpoint.description.to_dict()))
        else:
            save_file(tensors, temporary, _metadata(checkpoint, tensors))


def checkpoint_bytes(checkpoint: Checkpoint) -> int:
    """The size of the safetensors file of ``checkpoint``, without writing it."""
    tensors = _tensors(checkpoint)
    return len(to_bytes(tensors, _metadata(checkpoint, tensors)))


def compact_bytes(checkpoint: Checkpoint) -> int:
    """The size of the compact file of ``checkpoint``, without writing it."""
    return len(compact_file.to_bytes(_tensors(checkpoint), checkpoint.description.to_dict()))


def _tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in checkpoint.model.state_dict().items()}


def _metadata(checkpoint: Checkpoint, tensors: dict[str, Tensor]) -> dict[str, str]:
    """The description, and the checksum beside it: earlier versions ignore a key that they do not know."""
    return {"verydeep": json.dumps(checkpoint.description.to_dict()), CHECKSUM: tensor_checksum(tensors)}


def load(path: Path | str, *, verify: bool = True) -> Checkpoint:
    """The network in the checkpoint or run folder ``path``, in evaluation mode.

    Args:
        path: the file, or the run folder that contains it.
        verify: compare the tensors with the checksum in the file, where it has one.

    Raises:
        CheckpointError: where the file does not exist, is broken, was not written by ``save``, holds tensors
            that do not fit its architecture, or whose bytes were altered since.
    """
    file = checkpoint_path(Path(path))
    tensors, metadata = _read(file)
    if verify:
        _check_bytes(file, tensors, metadata.get(CHECKSUM))
    description = parse_description(file, metadata)
    model = build_empty(description.architecture)
    tensors = _as_fp32(file, tensors)
    _check_fit(file, model, tensors)
    model.load_state_dict(tensors, assign=True)
    return Checkpoint(model.eval(), description.preprocess, description.classes, description.origin)


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata, which has the key ``verydeep``."""
    if not file.is_file():
        raise CheckpointError(f"there is no checkpoint at {file}. Give a run folder or a .safetensors file")
    if is_compact(file):
        compact, header = compact_file.read(file)
        return compact, compact_metadata(header)
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = dict(opened.metadata() or {})
            names = opened.keys()  # the opened file is not a mapping and cannot be iterated itself
            tensors = {name: opened.get_tensor(name) for name in names}
    except Exception as error:  # the header of a broken file may name any type and any place
        raise CheckpointError(
            f"{file} ({file.stat().st_size:,} bytes) is broken or not a safetensors file: {error}. "
            "Copy or train it again"
        ) from None
    if "verydeep" not in metadata:
        raise CheckpointError(
            f"{file} is not a verydeep checkpoint: it holds tensors without an architecture. Load it with "
            "verydeep.load, or convert it with `verydeep weights import`"
        )
    return tensors, metadata


def _check_bytes(file: Path, tensors: dict[str, Tensor], checksum: str | None) -> None:
    """Refuse tensors that have another checksum; a file without one, or of a later kind, is accepted."""
    if checksum is not None and checksum.startswith(PREFIX) and checksum != tensor_checksum(tensors):
        raise CheckpointError(
            f"{file}: the bytes of its tensors are not those that were saved (the checksum in the file is "
            f"{checksum}). Copy or train it again; if you changed them yourself, `verydeep weights import "
            f"{shlex.quote(str(file))} --no-verify --out NEW.safetensors` writes them with their checksum"
        )


def _as_fp32(file: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as fp32, or int64 for counts of batches; a type that is not floating point is refused."""
    converted = {}
    for name, value in tensors.items():
        if name.endswith("num_batches_tracked"):
            converted[name] = value.to(torch.int64)
        else:
            check_type(file, name, value)
            converted[name] = value.float()
    return converted


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
    text = "; ".join(f"{what}: {first_names(names)}" for what, names in problems.items() if names)
    if text:
        raise CheckpointError(
            f"{file} holds tensors that do not fit its architecture {model.architecture.string!r}. {text}. "
            "Copy or train it again"
        )
