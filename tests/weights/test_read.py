"""Every kind of file gives its tensors; what wraps them is taken off; nothing in a file runs."""

import io
import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict

import h5py
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from verydeep.errors import CheckpointError
from verydeep.weights.read import read_weights

TENSORS = {"features.0.weight": torch.randn(4, 3, 3, 3), "features.0.bias": torch.randn(4)}


def same(found, expected):
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)


# The kinds


def save_onnx(tensors, path, *, beside=False):
    initializers = [onnx.numpy_helper.from_array(value.numpy(), name) for name, value in tensors.items()]
    graph = helper.make_graph([], "g", [], [], initializers)
    extra = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0} if beside else {}
    onnx.save(helper.make_model(graph), path, **extra)


def save_legacy(tensors, path):
    torch.save(tensors, path, _use_new_zipfile_serialization=False)


KINDS = {
    "torch": ("w.pth", torch.save),
    "torch, before 1.6": ("w.pth", save_legacy),
    "safetensors": ("w.safetensors", save_file),
    "npz": ("w.npz", lambda tensors, path: np.savez(path, **{k: v.numpy() for k, v in tensors.items()})),
    "onnx": ("w.onnx", save_onnx),
    "onnx, beside": ("w.onnx", lambda tensors, path: save_onnx(tensors, path, beside=True)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_file_is_read(kind, tmp_path):
    name, save = KINDS[kind]
    save(TENSORS, tmp_path / name)
    found = read_weights(tmp_path / name)
    assert found.kind == kind.split(",")[0]
    assert same(found.tensors, TENSORS)


def test_the_kind_is_told_by_the_bytes_and_not_by_the_name(tmp_path):
    save_file(TENSORS, tmp_path / "w.pth")
    torch.save(TENSORS, tmp_path / "w.safetensors")
    assert read_weights(tmp_path / "w.pth").kind == "safetensors"
    assert read_weights(tmp_path / "w.safetensors").kind == "torch"


KERNEL, BIAS = np.random.default_rng(0).normal(size=(3, 3, 3, 4)), np.arange(4.0)
NAMINGS = {
    "published": ("block1_conv1", "block1_conv1_W_1:0", "block1_conv1_b_1:0"),
    "Keras 2": ("block1_conv1", "block1_conv1/kernel:0", "block1_conv1/bias:0"),
    "Keras 3": ("block1_conv1", "block1_conv1/kernel", "block1_conv1/bias"),
    "a saved model": ("model_weights/block1_conv1", "block1_conv1/kernel:0", "block1_conv1/bias:0"),
    "a network in a network": ("model_weights/vgg16", "block1_conv1/kernel:0", "block1_conv1/bias:0"),
    ".weights.h5": ("layers/block1_conv1/vars", "0", "1"),
    ".weights.h5 from 3.8": ("layers/conv2d/vars", "0", "1"),
}


@pytest.mark.parametrize("naming", NAMINGS)
def test_keras_files_of_each_age_are_read(naming, tmp_path):
    folder, kernel, bias = NAMINGS[naming]
    with h5py.File(tmp_path / "w.h5", "w") as file:
        group = file.create_group(folder)
        group[kernel], group[bias] = KERNEL, BIAS
        if naming == ".weights.h5 from 3.8":
            group.attrs["name"] = "block1_conv1"
        if "model" in naming:
            file["model_weights"].attrs["layer_names"] = [b"block1_conv1"]
            file["optimizer_weights/momentum"] = BIAS
    found = read_weights(tmp_path / "w.h5").tensors
    assert found.keys() == {"block1_conv1/kernel", "block1_conv1/bias"}
    np.testing.assert_array_equal(found["block1_conv1/kernel"], KERNEL)
    np.testing.assert_array_equal(found["block1_conv1/bias"], BIAS)


# What wraps them


@pytest.mark.parametrize(
    ("wrapped", "container"),
    [
        ({"state_dict": TENSORS, "epoch": 3, "optimizer": {"state": {}}}, "state_dict"),
        ({"model": TENSORS, "args": {"lr": 0.1}}, "model"),
        ({"checkpoint": 1, "model": {"state_dict": OrderedDict(TENSORS)}}, "model.state_dict"),
        ({"model": {k: v + 1 for k, v in TENSORS.items()}, "model_ema": TENSORS}, "model_ema"),
        ({"state_dict": {}, "model": TENSORS}, "model"),
    ],
)
def test_the_state_dict_is_found_inside(wrapped, container, tmp_path):
    torch.save(wrapped, tmp_path / "w.pt")
    found = read_weights(tmp_path / "w.pt")
    assert same(found.tensors, TENSORS) and found.container == container


def test_the_copy_that_was_not_taken_is_named(tmp_path):
    torch.save({"model": TENSORS, "model_ema": TENSORS}, tmp_path / "w.pt")
    assert read_weights(tmp_path / "w.pt").passed_over == ("model",)


@pytest.mark.parametrize(
    "prefix",
    ["module.", "model.", "backbone.", "_orig_mod.", "module._orig_mod.", "ema_model.module.", "model_ema."],
)
def test_prefixes_are_taken_off(prefix, tmp_path):
    torch.save({prefix + name: value for name, value in TENSORS.items()}, tmp_path / "w.pt")
    found = read_weights(tmp_path / "w.pt")
    assert same(found.tensors, TENSORS) and len(found.prefixes) == 1


def test_data_parallel_around_the_features_alone_is_taken_off(tmp_path):  # the ImageNet example of 2017
    torch.save({n.replace("features.", "features.module."): v for n, v in TENSORS.items()}, tmp_path / "w.pt")
    assert same(read_weights(tmp_path / "w.pt").tensors, TENSORS)


def test_torchs_own_average_is_read(tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(torch.nn.Linear(2, 3))
    torch.save(averaged.state_dict(), tmp_path / "w.pt")
    assert same(read_weights(tmp_path / "w.pt").tensors, averaged.module.state_dict())


def test_of_two_copies_under_prefixes_the_average_is_taken(tmp_path):
    both = {f"model.{name}": value + 1 for name, value in TENSORS.items()}
    both |= {f"ema_model.{name}": value for name, value in TENSORS.items()}
    torch.save(both, tmp_path / "w.pt")
    found = read_weights(tmp_path / "w.pt")
    assert same(found.tensors, TENSORS)
    assert (found.prefixes, found.passed_over) == (("ema_model.",), ("model.",))


# What is refused


class Trap:
    """A pickle of it makes a folder when it is loaded."""

    def __reduce__(self):
        return (os.mkdir, ("trapped",))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("payload", [Trap(), {"state_dict": Trap()}, {**TENSORS, "extra": Trap()}])
def test_code_in_a_pickle_is_refused_and_does_not_run(payload, legacy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(payload, "evil.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match="a pickle that asks for code to be run"):
        read_weights("evil.pth")
    trapped = tmp_path / "trapped"
    assert not trapped.exists()
    torch.load("evil.pth", weights_only=False)  # the trap is a real one
    assert trapped.exists()


def test_a_bare_pickle_with_code_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError):
        read_weights("evil.pth")
    assert not (tmp_path / "trapped").exists()


def test_a_whole_model_is_refused_with_the_way_out(tmp_path):
    torch.save(torch.nn.Linear(2, 3), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=r"asks for code.*Linear.*save model\.state_dict\(\)"):
        read_weights(tmp_path / "model.pt")


def test_objects_in_an_npz_are_refused_and_do_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("evil.npz", a=np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(CheckpointError, match="an npz file that is broken"):
        read_weights("evil.npz")
    assert not (tmp_path / "trapped").exists()


def zeros_zip(path, name, size):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        block = bytes(1 << 20)
        with file.open(name, "w") as entry:
            for _ in range(size >> 20):
                entry.write(block)


@pytest.mark.parametrize("name", ["w/data.pkl", "model.weights.h5", "a.npy"])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(name, tmp_path, monkeypatch):
    zeros_zip(tmp_path / "bomb", name, 96 << 20)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: pytest.fail("it was opened"))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(CheckpointError, match=r"unpacks to 100,663,296: weights do not compress so well"):
        read_weights(tmp_path / "bomb")


def test_an_array_that_lies_about_its_shape_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 20, 1 << 20)}
    )
    with zipfile.ZipFile(tmp_path / "liar.npz", "w") as file:
        file.writestr("a.npy", header.getvalue() + bytes(64))
    with pytest.raises(CheckpointError, match=r"a\.npy says it has the shape"):
        read_weights(tmp_path / "liar.npz")


def test_a_tensor_of_one_number_that_fills_a_matrix_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1).expand(1 << 14, 1 << 14), "b": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="holds 1,073,741,828"):
        read_weights(tmp_path / "w.pt")


def test_an_hdf5_file_of_nothing_that_declares_much_is_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset(
            "fc1/kernel", shape=(1 << 16, 1 << 16), dtype="f4", chunks=True, compression="gzip"
        )
    with pytest.raises(CheckpointError, match="declares 17,179,869,184"):
        read_weights(tmp_path / "w.h5")


@pytest.mark.parametrize("how", ["link", "external data", "soft link"])
def test_an_hdf5_file_that_reaches_outside_is_refused(how, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(64))
    with h5py.File(tmp_path / "w.h5", "w") as file:
        if how == "link":
            file["fc1"] = h5py.ExternalLink(str(tmp_path / "secret"), "/")
        elif how == "soft link":
            file["fc1"] = h5py.SoftLink("/fc1")
        else:
            external = [(str(tmp_path / "secret"), 0, 64)]
            file.create_dataset("fc1/kernel", shape=(16,), dtype="f4", external=external)
    with pytest.raises(CheckpointError, match="it is refused"):
        read_weights(tmp_path / "w.h5")


@pytest.mark.parametrize("place", ["../secret", "/etc/hostname", "absent.bin"])
def test_onnx_data_outside_its_folder_or_absent_is_refused(place, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(16))
    tensor = TensorProto(name="a", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=place)
    model = helper.make_model(helper.make_graph([], "g", [], [], [tensor]))
    (folder / "w.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match=r"outside its folder|not beside it"):
        read_weights(folder / "w.onnx")


def test_a_torchscript_program_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as file:
        file.writestr("m/code/__torch__.py", "")
        file.writestr("m/constants.pkl", b"")
    with pytest.raises(CheckpointError, match="TorchScript program, not weights"):
        read_weights(tmp_path / "m.pt")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "onnx, beside"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_truncated_file_is_one_message(kind, share, tmp_path):
    name, save = KINDS[kind]
    save(TENSORS, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"broken or cut off|cut off at its beginning|holds no tensors"):
        read_weights(tmp_path / name)


def test_a_truncated_hdf5_file_is_one_message(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["fc1/kernel"] = np.zeros((64, 64))
    whole = (tmp_path / "w.h5").read_bytes()
    (tmp_path / "w.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="an HDF5 file that is broken or cut off"):
        read_weights(tmp_path / "w.h5")


@pytest.mark.parametrize("payload", [[1, 2], torch.zeros(3), {"epoch": 3}, {}])
def test_a_torch_file_without_tensors_by_name_is_refused(payload, tmp_path):
    torch.save(payload, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"not tensors by name|holds no tensors"):
        read_weights(tmp_path / "w.pt")


def test_a_safetensors_header_longer_than_the_file_is_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{" + bytes(20))
    with pytest.raises(CheckpointError, match="a safetensors file that is broken"):
        read_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize(("package", "name"), [("h5py", "w.h5"), ("onnx", "w.onnx")])
def test_a_package_that_is_not_there_is_one_message_with_the_command(package, name, tmp_path, monkeypatch):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["fc1/kernel"] = KERNEL
    save_onnx(TENSORS, tmp_path / "w.onnx")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CheckpointError, match=rf"needs {package}.*pip install 'verydeep\[weights\]'"):
        read_weights(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no checkpoint at .*nothing"):
        read_weights(tmp_path / "nothing")
