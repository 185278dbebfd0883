"""Keras's files: ``<layer>/kernel`` and ``<layer>/bias``, whichever version of Keras wrote them.

.h5           layers as groups, datasets named by the attribute ``weight_names``: ``block1_conv1_W_1:0`` in
              the published files, ``block1_conv1/kernel:0`` and ``kernel`` in later ones; a saved model has
              it all under ``model_weights``
.weights.h5   ``layers/conv2d_3/vars/0``, with the layer's own name in an attribute from Keras 3.8 on
.keras        a zip with such a file in it
"""

import io
import re
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from torch import Tensor

from verydeep.errors import CheckpointError
from verydeep.weights.checks import broken, check_expansion, open_zip
from verydeep.weights.read_tensors import tensor_of

if TYPE_CHECKING:
    import h5py

HDF5_BEGINS = b"\x89HDF\r\n\x1a\n"

_VARIABLES = {
    "W": "kernel", "kernel": "kernel", "b": "bias", "bias": "bias", "gamma": "gamma", "beta": "beta",
    "running_mean": "moving_mean", "moving_mean": "moving_mean",
    "running_std": "moving_variance", "moving_variance": "moving_variance",
}  # fmt: skip


def read_keras(path: Path) -> dict[str, Tensor]:
    """The weights in an HDF5 file of Keras."""
    return _read(path, path)


def read_keras_archive(path: Path) -> dict[str, Tensor]:
    """The weights in a ``.keras`` archive; its configuration, which may name code, is not looked at."""
    with open_zip(path) as opened:
        try:
            weights = opened.read("model.weights.h5")
        except (zipfile.BadZipFile, OSError, EOFError) as error:
            raise broken(path, "a Keras", error) from None
    return _read(path, io.BytesIO(weights))


def _read(path: Path, source: Path | io.BytesIO) -> dict[str, Tensor]:
    h5py = _h5py(f"{path} is a Keras file: reading it")
    try:
        with h5py.File(source, "r") as opened:
            datasets = dict(_named_datasets(path, opened))
            check_expansion(path, sum(dataset.nbytes for dataset in datasets.values()), "declares")
            return {name: tensor_of(dataset[()]) for name, dataset in datasets.items()}
    except CheckpointError:
        raise
    except Exception as error:  # a broken file can make HDF5 raise almost anything
        raise broken(path, "an HDF5", error) from None


def _named_datasets(path: Path, opened: "h5py.File") -> Iterator[tuple[str, "h5py.Dataset"]]:
    root = opened.get("model_weights", opened)
    for place, dataset in _datasets(path, root, ""):
        if place.startswith(("optimizer", "_optimizer")):
            continue
        folder, _, variable = place.rpartition("/")
        if folder.endswith("vars"):
            layer = _layer_of_vars(root[folder], folder)
            yield f"{layer}/{'bias' if dataset.ndim == 1 else 'kernel'}", dataset
        else:
            yield f"{_layer(folder, variable)}/{_variable(variable)}", dataset


def _datasets(path: Path, group: Any, place: str) -> Iterator[tuple[str, "h5py.Dataset"]]:
    """Every dataset below ``group``, with its place; only what lies in this very file."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise CheckpointError(f"{path} links at {place}{name} to elsewhere: it is refused")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _datasets(path, item, f"{place}{name}/")
        elif item.external or item.is_virtual:
            raise CheckpointError(f"{path} keeps {place}{name} in another file: it is refused")
        else:
            yield place + name, item


def _layer_of_vars(group: Any, folder: str) -> str:
    """The layer that the group ``.../conv2d_3/vars`` belongs to; by its own name where that was saved."""
    name = group.attrs.get("name")
    return str(name) if isinstance(name, str) else folder.split("/")[-2]


def _layer(folder: str, variable: str) -> str:
    """The layer in a place such as ``vgg16/block1_conv1``, or ``block1_conv1/block1_conv1``."""
    return folder.rpartition("/")[2] or variable


def _variable(name: str) -> str:
    """``kernel`` for ``block1_conv1_W_1:0``, ``kernel:0`` and ``kernel``; what is not known stays."""
    bare = re.sub(r":\d+$", "", name)
    for ending, meaning in _VARIABLES.items():
        if re.search(rf"(^|_){ending}(_\d+)?$", bare):
            return meaning
    return bare


def write_keras(path: Path, tensors: dict[str, Tensor]) -> None:
    """A weights file that Keras 2 and 3 load: ``<layer>/kernel`` as the dataset ``kernel:0`` of its layer.

    Raises:
        CheckpointError: where h5py is not installed.
    """
    h5py = _h5py(f"{path.name} is a Keras file: writing it")
    layers = dict.fromkeys(name.partition("/")[0] for name in tensors)
    with h5py.File(path, "w") as opened:
        opened.attrs["layer_names"] = [layer.encode() for layer in layers]
        opened.attrs["backend"], opened.attrs["keras_version"] = b"tensorflow", b"2.15.0"
        for layer in layers:
            group = opened.create_group(layer)
            names = [name for name in tensors if name.startswith(f"{layer}/")]
            group.attrs["weight_names"] = [f"{name}:0".encode() for name in names]
            for name in names:
                group.create_dataset(f"{name}:0", data=tensors[name].numpy())


def _h5py(what: str) -> ModuleType:
    try:
        return import_module("h5py")
    except ImportError:
        raise CheckpointError(f"{what} needs h5py. Install it: pip install 'verydeep[weights]'") from None
