"""From a weight file of any kind to its tensors, by name; no code in a file ever runs.

kind          what is read                                          by
torch         a state dict in .pth, .pt, .bin, .ckpt, at any depth  torch, weights-only
safetensors   all tensors                                           safetensors
keras         .h5 (weights or model), .weights.h5, .keras           h5py (weights/hdf5.py)
onnx          the initializers, also those in a file beside it      onnx (weights/initializers.py)
npz           arrays                                                numpy, without pickle

The kind is told by the first bytes of the file, not by its name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from verydeep.errors import CheckpointError
from verydeep.weights.checks import check_expansion, open_zip
from verydeep.weights.read_keras import HDF5_BEGINS, read_keras, read_keras_archive
from verydeep.weights.read_onnx import read_onnx
from verydeep.weights.read_tensors import read_npz, read_safetensors, read_torch, text_of
from verydeep.weights.unwrap import strip_prefixes, unwrap


@dataclass(frozen=True)
class WeightFile:
    """The tensors of a file under the names it gives them, without what only wraps them."""

    path: Path
    kind: str
    """``torch``, ``safetensors``, ``keras``, ``onnx`` or ``npz``."""
    tensors: dict[str, Tensor]
    container: str = ""
    """Where in a nested file the tensors stood, such as ``state_dict``."""
    prefixes: tuple[str, ...] = ()
    """What was taken off the names, such as ``module.``."""
    passed_over: tuple[str, ...] = ()
    """Second copies of the network that were not read, such as the one without EMA."""
    text: Mapping[str, str] = field(default_factory=dict)
    """What a safetensors file says beside its tensors."""


def read_weights(path: Path | str) -> WeightFile:
    """The tensors in the file at ``path``.

    Raises:
        CheckpointError: where there is no file, its kind is not known, it is broken, would unpack to far too
            much, holds more than tensors, or needs a package that is not installed.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError(
            f"there is no checkpoint at {path}, and no weight file. Give a run folder, or a file"
        )
    kind, read = _reader(path)
    found = read(path)
    tensors, container, copies = unwrap(path, found)
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors")
    if kind == "torch":  # a view may say that one number fills a matrix; in other kinds it cannot
        check_expansion(
            path, sum(value.numel() * value.element_size() for value in tensors.values()), "holds"
        )
    names, prefixes, spare = strip_prefixes(tensors)
    return WeightFile(
        path,
        kind,
        names,
        container,
        prefixes,
        (*copies, *spare),
        text_of(path) if kind == "safetensors" else {},
    )


def _reader(path: Path) -> tuple[str, Callable[[Path], Any]]:
    """The kind of the file, by its first bytes, and what reads it."""
    with path.open("rb") as file:
        first = file.read(9)
    if first.startswith(b"PK\x03\x04"):
        return _zip_reader(path)
    if first.startswith(HDF5_BEGINS):
        return "keras", read_keras
    if len(first) == 9 and first[8:] == b"{":  # eight bytes of length, then JSON
        return "safetensors", read_safetensors
    if path.suffix == ".onnx":
        return "onnx", read_onnx
    if first.startswith(b"\x80"):  # a pickle of protocol 2 and above, as torch wrote before 1.6
        return "torch", read_torch
    raise CheckpointError(
        f"{path} ({path.stat().st_size:,} bytes) is no weight file of a known kind, or is cut off at its "
        "beginning; read are .pth, .pt, .safetensors, Keras's .h5, .weights.h5 and .keras, .onnx and .npz"
    )


def _zip_reader(path: Path) -> tuple[str, Callable[[Path], Any]]:
    with open_zip(path) as opened:
        names = opened.namelist()
    if "model.weights.h5" in names:
        return "keras", read_keras_archive
    if names and all(name.endswith(".npy") for name in names):
        return "npz", read_npz
    if any("/code/" in name for name in names):
        raise CheckpointError(
            f"{path} is a TorchScript program, not weights: it is not run here. Open it where it was made, "
            "and save the state_dict() of it"
        )
    return "torch", read_torch
