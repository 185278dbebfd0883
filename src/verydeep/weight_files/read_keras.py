"""Reads Keras files as ``<layer>/kernel`` and ``<layer>/bias``, whichever version of Keras wrote them.

.h5           one group per layer; the attribute ``weight_names`` names the datasets: ``block1_conv1_W_1:0``
              in the published files, ``block1_conv1/kernel:0`` and ``kernel`` in later ones; a saved model
              has all of this under ``model_weights``
.weights.h5   ``layers/conv2d_3/vars/0``; from Keras 3.8 on, an attribute holds the name of the layer
.keras        a zip file that contains such a .weights.h5 file
"""

import io
import math
import re
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from torch import Tensor

from verydeep.errors import CheckpointError
from verydeep.weight_files.checks import broken_file_error, check_expansion
from verydeep.weight_files.keras_config import check_config, check_size
from verydeep.weight_files.read_tensors import tensor_from_array
from verydeep.weight_files.zip_files import entry_pieces, open_zip

if TYPE_CHECKING:
    import h5py

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""The first bytes of every HDF5 file."""

MAX_OBJECTS, MAX_DEPTH = 100_000, 30
"""Groups and datasets of a file, and groups in each other. ResNet-152 has 3,000 of them, 6 deep."""

_VARIABLES = {
    "W": "kernel", "kernel": "kernel", "b": "bias", "bias": "bias", "gamma": "gamma", "beta": "beta",
    "running_mean": "moving_mean", "moving_mean": "moving_mean",
    "running_std": "moving_variance", "moving_variance": "moving_variance",
}  # fmt: skip

_BATCH_NORM = {"0": "gamma", "1": "beta", "2": "moving_mean", "3": "moving_variance"}
"""The variables of a batch norm by their index; no other layer has four vectors."""


def read_keras(path: Path) -> dict[str, Tensor]:
    """The weights in an HDF5 file of Keras."""
    return _read(path, path)


def read_keras_archive(path: Path) -> dict[str, Tensor]:
    """The weights in a ``.keras`` archive; its configuration, which may name code, is only looked at."""
    with open_zip(path) as opened, tempfile.TemporaryFile() as weights:
        if "config.json" in opened.namelist():
            config = opened.getinfo("config.json")
            check_size(path, config.file_size)
            check_config(path, b"".join(entry_pieces(path, opened, config)))
        weights.writelines(entry_pieces(path, opened, opened.getinfo("model.weights.h5")))
        return _read(path, weights)


def _read(path: Path, source: Path | io.BufferedIOBase) -> dict[str, Tensor]:
    h5py = import_h5py(f"{path} is a Keras file: reading it")
    try:
        with h5py.File(source, "r") as opened:
            # An array of references to one text may take any memory.
            is_text = "model_config" in opened.attrs and opened.attrs.get_id("model_config").shape == ()
            config = opened.attrs["model_config"] if is_text else None
            if isinstance(config, str | bytes):
                check_config(path, config)
            datasets = _by_name(path, opened)
            if references := [name for name, each in datasets.items() if each.dtype.hasobject]:
                raise CheckpointError(f"{path}: {references[0]} has no numbers; weights have nothing else")
            check_expansion(path, sum(map(_bytes_to_read, datasets.values())), "declares")
            return {name: tensor_from_array(dataset[()]) for name, dataset in datasets.items()}
    except CheckpointError:
        raise
    except Exception as error:  # a broken file can make HDF5 raise almost anything
        raise broken_file_error(path, "an HDF5", error) from None


def _bytes_to_read(dataset: "h5py.Dataset") -> int:
    """What reading allocates: a chunk is unpacked whole, and may be larger than the dataset in it."""
    return max(int(dataset.nbytes), math.prod(dataset.chunks or ()) * int(dataset.dtype.itemsize))


def import_h5py(purpose: str) -> ModuleType:
    """The package h5py.

    Raises:
        CheckpointError: where it is not installed; the message starts with ``purpose``.
    """
    try:
        return import_module("h5py")
    except ImportError:
        raise CheckpointError(f"{purpose} needs h5py. Install it: pip install 'verydeep[weights]'") from None


def _by_name(path: Path, opened: "h5py.File") -> dict[str, "h5py.Dataset"]:
    """The datasets by ``<layer>/<variable>``; two of one name are refused, as one would be lost."""
    named: dict[str, h5py.Dataset] = {}
    for name, dataset in _named_datasets(path, opened):
        if name in named:
            raise CheckpointError(
                f"{path} has two layers with the weights {name}: {named[name].name} and {dataset.name}. Give "
                "the layers different names and save the model again"
            )
        named[name] = dataset
    return named


def _named_datasets(path: Path, opened: "h5py.File") -> Iterator[tuple[str, "h5py.Dataset"]]:
    root = opened.get("model_weights", opened)
    for location, dataset in _datasets(path, root, "", set()):
        if location.startswith(("optimizer", "_optimizer")) or "seed_generator" in location:
            continue  # the random state of dropout and augmentation is no weight
        group, _, variable = location.rpartition("/")
        if group.endswith("vars"):
            layer = _layer_of_vars(root[group], group)
            yield f"{layer}/{_variable_of_vars(len(root[group]), variable, dataset.ndim)}", dataset
        else:
            yield f"{_layer(group, variable)}/{_variable(variable)}", dataset


def _datasets(path: Path, group: Any, prefix: str, visited: set[Any]) -> Iterator[tuple[str, "h5py.Dataset"]]:
    """Every dataset below ``group`` with its location in the file; links are refused."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise CheckpointError(
                f"{path}: {prefix}{name} is a link to elsewhere, which is refused. "
                "Save the weights in one file"
            )
        item = group[name]
        address = h5py.h5o.get_info(item.id).addr
        if address in visited or len(visited) > MAX_OBJECTS or prefix.count("/") > MAX_DEPTH:
            raise CheckpointError(
                f"{path}: {prefix}{name} is a second link to the same group or dataset, deeper than "
                f"{MAX_DEPTH} groups, or one of more than {MAX_OBJECTS:,}. Save the weights again by Keras"
            )
        visited.add(address)
        if isinstance(item, h5py.Group):
            yield from _datasets(path, item, f"{prefix}{name}/", visited)
        elif item.external or item.is_virtual:
            raise CheckpointError(
                f"{path} stores {prefix}{name} in another file, which is refused. "
                "Save the weights in one file"
            )
        else:
            yield prefix + name, item


def _variable_of_vars(count: int, index: str, sides: int) -> str:
    """What the dataset ``index`` of a layer's ``count`` is, where Keras 3 writes no names."""
    if sides != 1:
        return "kernel"
    return _BATCH_NORM.get(index, index) if count == len(_BATCH_NORM) else "bias"


def _layer_of_vars(group: Any, location: str) -> str:
    """The layer of the group ``.../conv2d_3/vars``: by its saved name where there is one."""
    name = group.attrs.get("name")
    return str(name) if isinstance(name, str) else location.split("/")[-2]


def _layer(group: str, variable: str) -> str:
    """The layer of a group such as ``vgg16/block1_conv1`` or ``block1_conv1/block1_conv1``."""
    return group.rpartition("/")[2] or variable


def _variable(name: str) -> str:
    """``kernel`` for ``block1_conv1_W_1:0``, ``kernel:0`` and ``kernel``; an unknown name is kept."""
    bare = re.sub(r":\d+$", "", name)
    for ending, meaning in _VARIABLES.items():
        if re.search(rf"(^|_){ending}(_\d+)?$", bare):
            return meaning
    return bare
