"""Step 1 of loading (load.py lists all steps): read a file of any format as tensors by name, running no code.

format        what is read                                          module
torch         a state dict in .pth, .pt, .bin, .ckpt, at any depth  read_torch.py (torch, weights_only=True)
safetensors   all tensors                                           read_tensors.py (safetensors)
npz           all arrays                                            read_tensors.py (numpy, without pickle)
keras         .h5 (weights or model), .weights.h5, .keras           read_keras.py (h5py)
onnx          the initializers, also those in a separate file       read_onnx.py (onnx)
compact       all tensors of a .vdz file                            compact/file.py (zlib)

The first bytes of a file decide its format, not its name; ONNX has no fixed first bytes and needs its suffix.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from verydeep.errors import CheckpointError
from verydeep.user_path import user_path
from verydeep.weight_files.checks import check_expansion, check_kind
from verydeep.weight_files.compact import file as compact_file
from verydeep.weight_files.compact.header import is_compact
from verydeep.weight_files.read_keras import HDF5_SIGNATURE, read_keras, read_keras_archive
from verydeep.weight_files.read_onnx import read_onnx
from verydeep.weight_files.read_tensors import read_npz, read_safetensors, safetensors_metadata
from verydeep.weight_files.read_torch import read_torch
from verydeep.weight_files.unwrap import stated_names, strip_prefixes, unwrap
from verydeep.weight_files.zip_files import open_zip

Shapes = dict[str, tuple[int, ...]]
"""The shapes of tensors by name."""


@dataclass(frozen=True)
class WeightFile:
    """The tensors of a file by name, without the containers and prefixes around them."""

    path: Path
    format: str
    """``torch``, ``safetensors``, ``keras``, ``onnx``, ``npz`` or ``compact``."""
    tensors: dict[str, Tensor]
    container: str = ""
    """The key of the state dict in a nested file, such as ``state_dict``."""
    prefixes: tuple[str, ...] = ()
    """The prefixes that were removed from the names, such as ``module.``."""
    ignored_copies: tuple[str, ...] = ()
    """Second copies of the network that were not read, such as the one without EMA."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The text in the header of a safetensors file, or the name of the network in a training checkpoint."""

    @cached_property
    def shapes(self) -> Shapes:
        """The shapes of the tensors."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}


def read_weights(path: Path | str) -> WeightFile:
    """The tensors in the file at ``path``.

    Raises:
        CheckpointError: where the file does not exist, has an unknown format, is broken, unpacks to far too
            many bytes, holds more than tensors, or needs a package that is not installed.
    """
    path = user_path(path)
    if not path.is_file():
        raise CheckpointError(
            f"there is no checkpoint at {path}. Give a run folder, a checkpoint or a weight file"
        )
    file_format, read = _format_and_reader(path)
    content = read(path)
    tensors, container, containers_ignored = unwrap(path, content)
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors. Give a file with a state dict")
    for name, tensor in tensors.items():
        check_kind(path, name, tensor)
    if file_format == "torch":  # only here can an expanded view show one stored number as a whole matrix
        check_expansion(
            path, sum(value.numel() * value.element_size() for value in tensors.values()), "holds"
        )
    tensors, prefixes, prefixes_ignored = strip_prefixes(tensors)
    metadata = safetensors_metadata(path) if file_format == "safetensors" else stated_names(content)
    ignored_copies = (*containers_ignored, *prefixes_ignored)
    return WeightFile(path, file_format, tensors, container, prefixes, ignored_copies, metadata)


def _format_and_reader(path: Path) -> tuple[str, Callable[[Path], Any]]:
    """The format of the file, by its first bytes, and the function that reads it."""
    with path.open("rb") as file:
        first = file.read(9)
    if first.startswith(b"PK\x03\x04"):
        return _zip_format_and_reader(path)
    if first.startswith(HDF5_SIGNATURE):
        return "keras", read_keras
    if is_compact(path):
        return "compact", lambda path: compact_file.read(path)[0]
    if len(first) == 9 and first[8:] == b"{":  # eight bytes of length, then JSON
        return "safetensors", read_safetensors
    if path.suffix == ".onnx":
        return "onnx", read_onnx
    if first.startswith(b"\x80"):  # a pickle of protocol 2 or later, which torch wrote before version 1.6
        return "torch", read_torch
    raise CheckpointError(
        f"{path} ({path.stat().st_size:,} bytes) is not a weight file of a known format, or its beginning is "
        "missing. Give a .pth, .pt, .safetensors, .vdz, .onnx or .npz file, or a .h5, .weights.h5 or .keras "
        "file of Keras"
    )


def _zip_format_and_reader(path: Path) -> tuple[str, Callable[[Path], Any]]:
    with open_zip(path) as opened:
        names = opened.namelist()
    if "model.weights.h5" in names:
        return "keras", read_keras_archive
    if names and all(name.endswith(".npy") for name in names):
        return "npz", read_npz
    if any(name.endswith(("/archive_format", "serialized_exported_program.json")) for name in names):
        raise CheckpointError(
            f"{path} is a program of torch.export (.pt2), not weights, and is not run here. Load it where "
            "it was made and save the state_dict() of its module"
        )
    if any("/code/" in name for name in names):
        raise CheckpointError(
            f"{path} is a TorchScript program, not weights, and is not run here. Load it where it was made "
            "and save its state_dict()"
        )
    return "torch", read_torch
