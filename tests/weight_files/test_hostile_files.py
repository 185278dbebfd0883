"""A hostile file ends in one line, before it takes time, memory or runs code."""

import datetime
import io
import pathlib
import pickle
import struct
import sys
import types
import zipfile
from argparse import Namespace
from collections import OrderedDict, defaultdict

import h5py
import numpy as np
import pytest
import torch

from verydeep.errors import CheckpointError
from verydeep.weight_files import pickle_scan, zip_files
from verydeep.weight_files.read import read_weights

TENSORS = {"features.0.weight": torch.randn(4, 3, 3, 3), "features.0.bias": torch.randn(4)}


def refused(path, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        read_weights(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700


class EasyDict(dict):
    """A dictionary of options; the test gives it the place of the package of that name."""


EasyDict.__module__ = "easydict"


def test_a_zip_of_an_unknown_version_is_one_line(tmp_path):
    torch.save(TENSORS, tmp_path / "w.pth")
    content = bytearray((tmp_path / "w.pth").read_bytes())
    version_needed = content.index(b"PK\x01\x02") + 6  # in the central directory (APPNOTE.TXT, 4.3.12)
    content[version_needed] = 0xFF
    (tmp_path / "w.pth").write_bytes(content)
    refused(tmp_path / "w.pth", "zip file version 25.5")


@pytest.mark.parametrize("legacy", [False, True])
def test_options_paths_and_numbers_of_training_scripts_are_read_as_empty_objects(
    legacy, tmp_path, monkeypatch
):
    easydict = types.ModuleType("easydict")
    easydict.EasyDict = EasyDict
    monkeypatch.setitem(sys.modules, "easydict", easydict)
    options = Namespace(
        lr=0.1, output=pathlib.Path("runs"), model="resnet18", started=datetime.datetime.now()
    )
    saved = {
        "model": OrderedDict(TENSORS),
        "args": options,
        "metric": np.float64(71.5),
        "history": defaultdict(list, loss=[1.0]),
        "random": np.arange(3),
        "hyper_parameters": EasyDict(width=3),
        "space": types.SimpleNamespace(a=1),
    }
    torch.save(saved, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    file = read_weights(tmp_path / "w.pth")
    assert file.container == "model" and file.tensors.keys() == TENSORS.keys()
    assert Namespace not in torch.serialization.get_safe_globals()  # nothing stays allowed for other readers
    assert all(not isinstance(allowed, tuple) for allowed in torch.serialization.get_safe_globals())


class Asks:
    """A pickle that asks for a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("legacy", [False, True])
def test_a_bytearray_of_any_size_is_not_made(legacy, tmp_path):
    saved = {"model": TENSORS, "x": Asks(bytearray, 10**11)}
    torch.save(saved, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    refused(tmp_path / "w.pth", "asks for a bytearray, which can be of any size")


def test_a_tuple_that_refers_to_itself_again_and_again_is_refused(tmp_path):
    payload = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT
    payload += pickle.EMPTY_TUPLE + b"q\x00"
    for _ in range(60):  # pickle itself would hash nothing; torch hashes a key
        payload += b"h\x00h\x00\x86q\x00"
    payload += pickle.NONE + pickle.SETITEM + pickle.STOP
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as file:
        file.writestr("w/data.pkl", payload)
    refused(tmp_path / "w.pth", "refers to itself again and again")


def test_a_tuple_in_a_tuple_in_a_tuple_is_refused(tmp_path):
    payload = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.EMPTY_TUPLE + 100_000 * b"\x85"
    payload += pickle.NONE + pickle.SETITEM + pickle.STOP
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as file:
        file.writestr("w/data.pkl", payload)
    refused(tmp_path / "w.pth", "more than 1,000 values within each other")


def test_a_dictionary_of_many_values_is_not_deep(tmp_path):
    torch.save({"model": TENSORS, "history": {step: [step] for step in range(3000)}}, tmp_path / "w.pth")
    assert read_weights(tmp_path / "w.pth").tensors.keys() == TENSORS.keys()


def test_references_to_one_text_in_hdf5_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        group = file.create_group("conv1/conv1")
        group.create_dataset("kernel", data=np.zeros((3, 3, 1, 2), np.float32))
        group.create_dataset("bias", data=["x" * 100] * 50, dtype=h5py.string_dtype())
    refused(tmp_path / "w.h5", "bias has no numbers")


def test_tensors_in_onnx_that_share_their_bytes_again_and_again_are_refused(tmp_path):
    onnx = pytest.importorskip("onnx")
    values = np.zeros((8, 3, 3, 3), np.float32)
    (tmp_path / "w.bin").write_bytes(values.tobytes())
    tensors = []
    for number in range(100):
        tensor = onnx.numpy_helper.from_array(values, f"conv{number}.weight")
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in {"location": "w.bin", "offset": "0", "length": str(values.nbytes)}.items():
            tensor.external_data.add(key=key, value=value)
        tensors.append(tensor)
    graph = onnx.helper.make_graph([], "g", [], [], initializer=tensors)
    onnx.save(onnx.helper.make_model(graph), tmp_path / "w.onnx")
    refused(tmp_path / "w.onnx", r"declares tensors of 86,400 bytes, of [\d,]+ that are there")


def test_a_dictionary_in_itself_ends(tmp_path):
    saved = {}
    saved["model"] = {"state_dict": saved}
    torch.save(saved, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", r"more than 8 deep: model\.state_dict\.model")


def test_a_pickle_with_too_many_instructions_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pickle_scan, "MAX_INSTRUCTIONS", 1000)
    torch.save({**TENSORS, "list": list(range(2000))}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", "more than 1,000 instructions")


# Zip files


def with_patched_headers(source, target, *, flag=0, method=None):
    """``source`` with these bits in every local and central header."""
    content = bytearray(source.read_bytes())
    for signature, flags_at, method_at in ((b"PK\x03\x04", 6, 8), (b"PK\x01\x02", 8, 10)):
        start = -1
        while (start := content.find(signature, start + 1)) >= 0:
            content[start + flags_at] |= flag
            if method is not None:
                content[start + method_at : start + method_at + 2] = struct.pack("<H", method)
    target.write_bytes(content)


@pytest.mark.parametrize("name", ["w.npz", "w.pth"])
@pytest.mark.parametrize(
    ("patch", "message"),
    [({"flag": 1}, "is encrypted"), ({"method": 99}, "method 99"), ({"method": 14}, "method 14")],
)
def test_encrypted_and_unknown_entries_of_a_zip_are_named(name, patch, message, tmp_path):
    if name == "w.npz":
        np.savez(tmp_path / "plain", a=np.zeros(3))
        (tmp_path / "plain.npz").rename(tmp_path / "plain")
    else:
        torch.save(TENSORS, tmp_path / "plain")
    with_patched_headers(tmp_path / "plain", tmp_path / name, **patch)
    refused(tmp_path / name, message)


@pytest.mark.parametrize("name", ["model.weights.h5", "a.npy", "w/data.pkl"])
def test_a_zip_that_understates_its_size_inflates_no_more_than_that(name, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr(name, bytes(32 << 20))
    content = bytearray(buffer.getvalue())
    for signature, size_at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.find(signature)
        content[start + size_at : start + size_at + 4] = struct.pack("<I", 1000)
    (tmp_path / "w.keras").write_bytes(content)
    refused(tmp_path / "w.keras", "broken or truncated")


def test_the_pieces_of_an_entry_are_small_and_end_at_its_stated_size(tmp_path):
    with zipfile.ZipFile(tmp_path / "z", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", bytes(5 << 20))
    with zip_files.open_zip(tmp_path / "z") as opened:
        pieces = list(zip_files.entry_pieces(tmp_path / "z", opened, opened.getinfo("a")))
    assert sum(map(len, pieces)) == 5 << 20 and max(map(len, pieces)) <= 1 << 20


def test_a_long_table_of_contents_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_files, "MAX_DIRECTORY", 100)
    np.savez(tmp_path / "w.npz", **{f"a{i}": np.zeros(1) for i in range(5)})
    refused(tmp_path / "w.npz", "table of contents has")


def test_an_exported_program_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.pt2", "w") as file:  # the entries that torch.export.save writes
        file.writestr("m/archive_format", b"pt2")
        file.writestr("m/models/model.json", b"{}")
        file.writestr("m/data/weights/model.pt", b"")
    refused(tmp_path / "m.pt2", r"a program of torch\.export \(\.pt2\), not weights")


# HDF5


def test_groups_that_are_linked_to_one_another_are_refused(tmp_path):
    with h5py.File(tmp_path / "cycle.h5", "w") as file:
        group = file.create_group("a")
        group.create_group("b")["back"] = group
    refused(tmp_path / "cycle.h5", "a/b/back is a second link to the same group")
    with h5py.File(tmp_path / "lattice.h5", "w") as file:
        group = file
        for _ in range(40):
            deeper = group.create_group("left")
            group["right"] = deeper
            group = deeper
    refused(tmp_path / "lattice.h5", "is a second link to the same group or dataset, deeper than 30 groups")


def test_two_layers_with_one_name_are_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["a/dense/kernel"] = file["b/dense/bias"] = np.zeros(3)
        file["b/dense/kernel"] = np.zeros(4)
    refused(
        tmp_path / "w.h5", "two layers with the weights dense/kernel: /a/dense/kernel and /b/dense/kernel"
    )


# Kinds of tensors

UNUSUAL = {
    "sparse": lambda value: value.to_sparse(),
    r"meta \(empty\)": lambda value: value.to("meta"),
    "quantized": lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", UNUSUAL)
def test_an_unusual_tensor_is_named(kind, tmp_path):
    torch.save(
        {**TENSORS, "features.0.weight": UNUSUAL[kind](TENSORS["features.0.weight"])}, tmp_path / "w.pt"
    )
    refused(tmp_path / "w.pt", rf"features\.0\.weight is a {kind} tensor; expected one with all its values")


def test_parameters_are_read_as_plain_tensors(tmp_path):
    parameters = {name: torch.nn.Parameter(value) for name, value in TENSORS.items()}
    torch.save(parameters, tmp_path / "w.pt")
    assert not any(value.requires_grad for value in read_weights(tmp_path / "w.pt").tensors.values())


def test_a_chunk_of_hdf5_that_unpacks_to_far_more_than_its_dataset_is_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        options = {"maxshape": (None,), "chunks": (24 << 20,), "compression": "gzip"}
        file.create_dataset("conv/kernel", data=np.zeros(1, np.float32), **options)
    assert (tmp_path / "w.h5").stat().st_size < 1 << 20
    refused(tmp_path / "w.h5", "declares 100,663,296")
