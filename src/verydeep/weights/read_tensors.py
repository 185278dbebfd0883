"""Files of torch, safetensors and numpy, as what they hold; nothing in them is run."""

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
from verydeep.weights.checks import broken, open_zip


def read_torch(path: Path) -> Any:
    """What ``torch.save`` wrote, read with ``weights_only=True``: tensors and plain values, or an error."""
    try:
        with path.open("rb") as file:  # by its name alone torch would take a .safetensors for what it is not
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error) or "global" in str(error):
            raise CheckpointError(
                f"{path} holds more than tensors: a pickle that asks for code to be run "
                f"({_asked_for(error)}). It was refused, and nothing of it ran. If the file is yours, save "
                "model.state_dict() instead of the model"
            ) from None
        raise broken(path, "a torch", error) from None
    except Exception as error:  # a broken file can make torch's parsers raise almost anything
        raise broken(path, "a torch", error) from None


def _asked_for(error: Exception) -> str:
    """The name of what a refused pickle wanted, out of torch's own message."""
    words = str(error).split("GLOBAL ", 1)
    return words[1].split()[0].rstrip(".,") if len(words) > 1 else "an object of its own"


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file."""
    try:
        with safe_open(path, framework="pt") as opened:
            names = opened.keys()  # a file is no mapping: it cannot be iterated itself
            return {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise broken(path, "a safetensors", error) from None


def text_of(path: Path) -> dict[str, str]:
    """The text beside the tensors of a safetensors file that was read before."""
    with safe_open(path, framework="pt") as opened:
        return dict(opened.metadata() or {})


def read_npz(path: Path) -> dict[str, Tensor]:
    """All arrays of an npz file, without pickle; one that is an object is an error."""
    with open_zip(path) as opened:
        try:
            return {
                entry.filename.removesuffix(".npy"): tensor_of(_read_array(opened, entry))
                for entry in opened.infolist()
            }
        except (ValueError, EOFError, OSError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
            raise broken(path, "an npz", error) from None


def _read_array(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    """One array, whose own header must agree with the bytes that the zip has for it."""
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
        raise ValueError(f"{entry.filename} says it has the shape {shape} and has {entry.file_size:,} bytes")
    array: NDArray[Any] = np.load(io.BytesIO(opened.read(entry)), allow_pickle=False)
    return array


def tensor_of(array: NDArray[Any]) -> Tensor:
    """``array`` as a tensor of its own.

    Raises:
        ValueError: where its type is none that a tensor can have, such as text.
    """
    try:
        return torch.from_numpy(np.require(array, requirements=("C", "W")))
    except TypeError as error:
        raise ValueError(str(error)) from None
