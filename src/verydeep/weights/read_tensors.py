"""Reads files of torch, safetensors and numpy; no code in them is run."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from verydeep.errors import CheckpointError
from verydeep.weights.checks import broken_file_error, open_zip


def read_torch(path: Path) -> Any:
    """The object that ``torch.save`` wrote, read with ``weights_only=True``: tensors and plain values.

    Raises:
        CheckpointError: where the file is broken or holds anything else.
    """
    try:
        with path.open("rb") as file:  # given a path, torch.load would judge a .safetensors file by its name
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error) or "global" in str(error):
            raise CheckpointError(
                f"{path} holds more than tensors: its pickle asks to run code ({_refused_name(error)}). "
                "It was refused and no code ran. If the file is yours, save model.state_dict() instead of "
                "the model"
            ) from None
        raise broken_file_error(path, "a torch", error) from None
    except Exception as error:  # a broken file can make torch's parsers raise almost anything
        raise broken_file_error(path, "a torch", error) from None


def _refused_name(error: Exception) -> str:
    """The name of the class or function that torch refused, from its message."""
    parts = str(error).split("GLOBAL ", 1)
    return parts[1].split()[0].rstrip(".,") if len(parts) > 1 else "a custom object"


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file."""
    try:
        with safe_open(path, framework="pt") as opened:
            names = opened.keys()  # the opened file is not a mapping and cannot be iterated itself
            return {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
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
                entry.filename.removesuffix(".npy"): tensor_from_array(_read_array(opened, entry))
                for entry in opened.infolist()
            }
        except (ValueError, EOFError, OSError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
            raise broken_file_error(path, "an npz", error) from None


def _read_array(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    """One array; the size that its header declares must agree with its bytes in the zip."""
    with opened.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read_header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(file)
    values = 1
    for side in shape:
        values *= side
    if values * dtype.itemsize > entry.file_size:
        raise ValueError(f"{entry.filename} declares the shape {shape} and has {entry.file_size:,} bytes")
    array: NDArray[Any] = np.load(io.BytesIO(opened.read(entry)), allow_pickle=False)
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
