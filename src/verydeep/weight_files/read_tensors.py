"""Reads files of safetensors and numpy; no code in them is run."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from verydeep.errors import CheckpointError
from verydeep.weight_files.checks import broken_file_error
from verydeep.weight_files.zip_files import entry_pieces, open_zip


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file."""
    try:
        with safe_open(path, framework="pt") as opened:
            names = opened.keys()  # the opened file is not a mapping and cannot be iterated itself
            return {name: opened.get_tensor(name) for name in names}
    except Exception as error:  # the header of a broken file may name any type and any place
        raise broken_file_error(path, "a safetensors", error) from None


def safetensors_metadata(path: Path) -> dict[str, str]:
    """The text in the header of a safetensors file that is known to be readable."""
    with safe_open(path, framework="pt") as opened:
        return dict(opened.metadata() or {})


def read_npz(path: Path) -> dict[str, Tensor]:
    """All arrays of an npz file, read without pickle; an array of objects is an error."""
    with open_zip(path) as opened:
        try:
            return {
                entry.filename.removesuffix(".npy"): tensor_from_array(_read_array(path, opened, entry))
                for entry in opened.infolist()
            }
        except CheckpointError:
            raise
        except Exception as error:  # numpy evaluates the header as a Python literal, which fails in many ways
            raise broken_file_error(path, "an npz", error) from None


def _read_array(path: Path, opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    """One array; the size that its header declares must agree with its bytes in the zip."""
    content = io.BytesIO(b"".join(entry_pieces(path, opened, entry)))
    version = np.lib.format.read_magic(content)
    read_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(content)
    values = 1
    for side in shape:
        values *= side
    if values * dtype.itemsize > entry.file_size:
        raise ValueError(f"{entry.filename} declares the shape {shape} and has {entry.file_size:,} bytes")
    content.seek(0)
    array: NDArray[Any] = np.load(content, allow_pickle=False)
    return array


def tensor_from_array(array: NDArray[Any]) -> Tensor:
    """``array`` as a tensor; copied only where it is not contiguous or not writable.

    Raises:
        ValueError: where torch has no such dtype, as for text.
    """
    try:
        return torch.from_numpy(np.require(array, requirements=("C", "W")))
    except TypeError as error:
        raise ValueError(str(error)) from None
