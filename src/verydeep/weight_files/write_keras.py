"""Writes a weights file that Keras loads."""

from pathlib import Path

from torch import Tensor

from verydeep.weight_files.read_keras import import_h5py


def write_keras(path: Path, tensors: dict[str, Tensor]) -> None:
    """A weights file for Keras 2 and 3: ``<layer>/kernel`` is the dataset ``kernel:0`` of its layer.

    Raises:
        CheckpointError: where h5py is not installed.
    """
    h5py = import_h5py(f"{path.name} is a Keras file: writing it")
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
