"""Reads the files of ``torch.save``; no code in them is run."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from verydeep.errors import CheckpointError
from verydeep.weight_files.checks import broken_file_error
from verydeep.weight_files.harmless_types import stand_ins
from verydeep.weight_files.pickle_scan import PickleError, names_in_pickles
from verydeep.weight_files.zip_files import entry_pieces, open_zip

MAX_PICKLE_BYTES = 64 << 20
"""Of the names, shapes and options in a file, without the values of its tensors."""

LEGACY_PICKLES = 5
"""Before torch 1.6: a magic number, the version, the system, the object, the keys of the storages."""
LEGACY_MAGIC = bytes.fromhex("6cfc9c46f9206aa85019")
"""The magic number in the first of these pickles: ``torch.serialization.MAGIC_NUMBER``."""


def read_torch(path: Path) -> Any:
    """The object that ``torch.save`` wrote, read with ``weights_only=True``: tensors and plain values.

    Objects of harmless types, such as the options of the training script, are read as empty ones.

    Raises:
        CheckpointError: where the file is broken, takes far more memory than it has bytes, or asks for code.
    """
    names = _names(path)
    if "builtins.bytearray" in names:
        raise CheckpointError(
            f"{path} asks for a bytearray, which can be of any size and is not read. Save model.state_dict() "
            "alone"
        )
    try:
        with path.open("rb") as file, torch.serialization.safe_globals(stand_ins(names)):
            # Given a path, torch.load would judge a .safetensors file by its name.
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


def _names(path: Path) -> frozenset[str]:
    """The classes and functions that the pickle of the file asks for."""
    pickles, count = _pickles(path)
    try:
        return names_in_pickles(pickles, count)
    except PickleError as error:
        raise CheckpointError(
            f"{path} holds {error}, which no weight file needs. Save model.state_dict() alone"
        ) from None
    except Exception as error:  # pickletools raises many types for bytes that are no pickle
        if count == LEGACY_PICKLES and LEGACY_MAGIC not in pickles.getvalue()[:32]:
            raise CheckpointError(
                f"{path} is a pickle that torch.save did not write; it is not loaded, as a pickle can run "
                "any code. Where it was made, save its tensors by name as .safetensors or .npz"
            ) from None
        raise broken_file_error(path, "a torch", error) from None


def _pickles(path: Path) -> tuple[io.BytesIO, int]:
    """Bytes that start with the pickles of ``path``, and their number."""
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            file.seek(0)
            return io.BytesIO(file.read(MAX_PICKLE_BYTES)), LEGACY_PICKLES
    with open_zip(path) as opened:
        entries = [entry for entry in opened.infolist() if entry.filename.endswith("data.pkl")]
        if len(entries) != 1:
            raise CheckpointError(
                f"{path} is a zip file that torch.save did not write: it has {len(entries)} entries "
                "data.pkl, and should have one. Give a .pth, .npz or .keras file"
            )
        if entries[0].file_size > MAX_PICKLE_BYTES:
            raise CheckpointError(
                f"{path} has a data.pkl of {entries[0].file_size:,} bytes; the names of tensors need less "
                f"than {MAX_PICKLE_BYTES:,}. Save model.state_dict() alone"
            )
        return io.BytesIO(b"".join(entry_pieces(path, opened, entries[0]))), 1


def _refused_name(error: Exception) -> str:
    """The name of the class or function that torch refused, from its message."""
    parts = str(error).split("GLOBAL ", 1)
    return parts[1].split()[0].rstrip(".,") if len(parts) > 1 else "a custom object"
