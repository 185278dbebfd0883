"""Files of every format are read as tensors without containers and prefixes; no code in a file is run."""

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
from verydeep.weight_files.read import read_weights

TENSORS = {"features.0.weight": torch.randn(4, 3, 3, 3), "features.0.bias": torch.randn(4)}


def same(tensors, expected):
    return tensors.keys() == expected.keys() and all(
        torch.equal(tensors[name], expected[name]) for name in tensors
    )


# Formats


def save_onnx(tensors, path, *, external_data=False):
    initializers = [onnx.numpy_helper.from_array(value.numpy(), name) for name, value in tensors.items()]
    graph = helper.make_graph([], "g", [], [], initializers)
    extra = (
        {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
        if external_data
        else {}
    )
    onnx.save(helper.make_model(graph), path, **extra)


def save_legacy(tensors, path):
    torch.save(tensors, path, _use_new_zipfile_serialization=False)


FORMATS = {
    "torch": ("w.pth", torch.save),
    "torch, before 1.6": ("w.pth", save_legacy),
    "safetensors": ("w.safetensors", save_file),
    "npz": ("w.npz", lambda tensors, path: np.savez(path, **{k: v.numpy() for k, v in tensors.items()})),
    "onnx": ("w.onnx", save_onnx),
    "onnx, external data": ("w.onnx", lambda tensors, path: save_onnx(tensors, path, external_data=True)),
}


@pytest.mark.parametrize("file_format", FORMATS)
def test_each_format_is_read(file_format, tmp_path):
    name, save = FORMATS[file_format]
    save(TENSORS, tmp_path / name)
    file = read_weights(tmp_path / name)
    assert file.format == file_format.split(",")[0]
    assert same(file.tensors, TENSORS)


def test_the_format_is_recognized_by_the_bytes_and_not_by_the_name(tmp_path):
    save_file(TENSORS, tmp_path / "w.pth")
    torch.save(TENSORS, tmp_path / "w.safetensors")
    assert read_weights(tmp_path / "w.pth").format == "safetensors"
    assert read_weights(tmp_path / "w.safetensors").format == "torch"


KERNEL, BIAS = np.random.default_rng(0).normal(size=(3, 3, 3, 4)), np.arange(4.0)
KERAS_NAMES = {
    "published": ("block1_conv1", "block1_conv1_W_1:0", "block1_conv1_b_1:0"),
    "Keras 2": ("block1_conv1", "block1_conv1/kernel:0", "block1_conv1/bias:0"),
    "Keras 3": ("block1_conv1", "block1_conv1/kernel", "block1_conv1/bias"),
    "a saved model": ("model_weights/block1_conv1", "block1_conv1/kernel:0", "block1_conv1/bias:0"),
    "a model in a model": ("model_weights/vgg16", "block1_conv1/kernel:0", "block1_conv1/bias:0"),
    ".weights.h5": ("layers/block1_conv1/vars", "0", "1"),
    ".weights.h5 from 3.8": ("layers/conv2d/vars", "0", "1"),
}


@pytest.mark.parametrize("version", KERAS_NAMES)
def test_keras_files_of_each_version_are_read(version, tmp_path):
    group_name, kernel, bias = KERAS_NAMES[version]
    with h5py.File(tmp_path / "w.h5", "w") as file:
        group = file.create_group(group_name)
        group[kernel], group[bias] = KERNEL, BIAS
        if version == ".weights.h5 from 3.8":
            group.attrs["name"] = "block1_conv1"
        if "model" in version:
            file["model_weights"].attrs["layer_names"] = [b"block1_conv1"]
            file["optimizer_weights/momentum"] = BIAS
    tensors = read_weights(tmp_path / "w.h5").tensors
    assert tensors.keys() == {"block1_conv1/kernel", "block1_conv1/bias"}
    np.testing.assert_array_equal(tensors["block1_conv1/kernel"], KERNEL)
    np.testing.assert_array_equal(tensors["block1_conv1/bias"], BIAS)


def test_the_vectors_of_a_batch_norm_in_keras_3_are_named_by_their_index(tmp_path):
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        file["layers/conv2d/vars/0"], file["layers/conv2d/vars/1"] = KERNEL, BIAS
        for index in range(4):
            file[f"layers/batch_normalization/vars/{index}"] = BIAS + index
    tensors = read_weights(tmp_path / "w.weights.h5").tensors
    norm = {name: tensors[f"batch_normalization/{name}"][0] for name in ("gamma", "beta")}
    norm |= {name: tensors[f"batch_normalization/{name}"][0] for name in ("moving_mean", "moving_variance")}
    assert list(norm.values()) == [0, 1, 2, 3] and "conv2d/bias" in tensors


def test_bfloat16_of_onnx_is_converted(tmp_path):
    tensors = {name: value.bfloat16().float() for name, value in TENSORS.items()}
    initializers = [
        helper.make_tensor(name, TensorProto.BFLOAT16, value.shape, value.flatten().tolist())
        for name, value in tensors.items()
    ]
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [], initializers)), tmp_path / "w.onnx")
    assert same(read_weights(tmp_path / "w.onnx").tensors, tensors)


# Containers and prefixes


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
def test_a_state_dict_in_a_container_is_read(wrapped, container, tmp_path):
    torch.save(wrapped, tmp_path / "w.pt")
    file = read_weights(tmp_path / "w.pt")
    assert same(file.tensors, TENSORS) and file.container == container


def test_an_ignored_copy_is_named(tmp_path):
    torch.save({"model": TENSORS, "model_ema": TENSORS}, tmp_path / "w.pt")
    assert read_weights(tmp_path / "w.pt").ignored_copies == ("model",)


@pytest.mark.parametrize(
    "prefix",
    ["module.", "model.", "backbone.", "_orig_mod.", "module._orig_mod.", "ema_model.module.", "model_ema."],
)
def test_prefixes_are_removed(prefix, tmp_path):
    torch.save({prefix + name: value for name, value in TENSORS.items()}, tmp_path / "w.pt")
    file = read_weights(tmp_path / "w.pt")
    assert same(file.tensors, TENSORS) and len(file.prefixes) == 1


def test_the_prefix_of_data_parallel_around_the_features_alone_is_removed(
    tmp_path,
):  # the ImageNet example of 2017
    torch.save({n.replace("features.", "features.module."): v for n, v in TENSORS.items()}, tmp_path / "w.pt")
    assert same(read_weights(tmp_path / "w.pt").tensors, TENSORS)


def test_an_averaged_model_of_torch_is_read(tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(torch.nn.Linear(2, 3))
    torch.save(averaged.state_dict(), tmp_path / "w.pt")
    assert same(read_weights(tmp_path / "w.pt").tensors, averaged.module.state_dict())


def test_of_two_copies_under_prefixes_the_ema_is_read(tmp_path):
    both = {f"model.{name}": value + 1 for name, value in TENSORS.items()}
    both |= {f"ema_model.{name}": value for name, value in TENSORS.items()}
    torch.save(both, tmp_path / "w.pt")
    file = read_weights(tmp_path / "w.pt")
    assert same(file.tensors, TENSORS)
    assert (file.prefixes, file.ignored_copies) == (("ema_model.",), ("model.",))


# Refused files


class Trap:
    """Its pickle creates a folder when it is loaded."""

    def __reduce__(self):
        return (os.mkdir, ("trapped",))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("payload", [Trap(), {"state_dict": Trap()}, {**TENSORS, "extra": Trap()}])
def test_code_in_a_pickle_is_refused_and_does_not_run(payload, legacy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(payload, "evil.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match="its pickle asks to run code"):
        read_weights("evil.pth")
    trapped = tmp_path / "trapped"
    assert not trapped.exists()
    torch.load("evil.pth", weights_only=False)  # the pickle does run code where torch lets it
    assert trapped.exists()


def test_a_bare_pickle_with_code_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match=r"a pickle that torch\.save did not write.*as \.safetensors"):
        read_weights("evil.pth")
    assert not (tmp_path / "trapped").exists()


def test_a_pickled_model_is_refused_with_the_next_step(tmp_path):
    torch.save(torch.nn.Linear(2, 3), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=r"asks to run code.*Linear.*save model\.state_dict\(\)"):
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
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: pytest.fail("the zip entry was opened"))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("the file was loaded"))
    with pytest.raises(CheckpointError, match=r"unpacks to 100,663,296: weights do not compress that well"):
        read_weights(tmp_path / "bomb")


def test_an_array_with_a_wrong_declared_shape_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 20, 1 << 20)}
    )
    with zipfile.ZipFile(tmp_path / "wrong.npz", "w") as file:
        file.writestr("a.npy", header.getvalue() + bytes(64))
    with pytest.raises(CheckpointError, match=r"a\.npy declares the shape"):
        read_weights(tmp_path / "wrong.npz")


def test_a_huge_expanded_tensor_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1).expand(1 << 14, 1 << 14), "b": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="holds 1,073,741,828"):
        read_weights(tmp_path / "w.pt")


def test_an_empty_hdf5_file_that_declares_a_huge_dataset_is_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset(
            "fc1/kernel", shape=(1 << 16, 1 << 16), dtype="f4", chunks=True, compression="gzip"
        )
    with pytest.raises(CheckpointError, match="declares 17,179,869,184"):
        read_weights(tmp_path / "w.h5")


@pytest.mark.parametrize("kind", ["link", "external data", "soft link"])
def test_an_hdf5_file_with_links_or_external_data_is_refused(kind, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(64))
    with h5py.File(tmp_path / "w.h5", "w") as file:
        if kind == "link":
            file["fc1"] = h5py.ExternalLink(str(tmp_path / "secret"), "/")
        elif kind == "soft link":
            file["fc1"] = h5py.SoftLink("/fc1")
        else:
            external = [(str(tmp_path / "secret"), 0, 64)]
            file.create_dataset("fc1/kernel", shape=(16,), dtype="f4", external=external)
    with pytest.raises(CheckpointError, match="which is refused"):
        read_weights(tmp_path / "w.h5")


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "absent.bin"])
def test_onnx_data_outside_the_folder_or_missing_is_refused(location, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(16))
    tensor = TensorProto(name="a", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    model = helper.make_model(helper.make_graph([], "g", [], [], [tensor]))
    (folder / "w.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match=r"outside its folder|not in the same folder"):
        read_weights(folder / "w.onnx")


def test_a_torchscript_program_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as file:
        file.writestr("m/code/__torch__.py", "")
        file.writestr("m/constants.pkl", b"")
    with pytest.raises(CheckpointError, match="TorchScript program, not weights"):
        read_weights(tmp_path / "m.pt")


@pytest.mark.parametrize("file_format", [name for name in FORMATS if name != "onnx, external data"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_truncated_file_is_refused(file_format, share, tmp_path):
    name, save = FORMATS[file_format]
    save(TENSORS, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        CheckpointError, match=r"broken or truncated|its beginning is missing|holds no tensors"
    ):
        read_weights(tmp_path / name)


def test_a_truncated_hdf5_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["fc1/kernel"] = np.zeros((64, 64))
    content = (tmp_path / "w.h5").read_bytes()
    (tmp_path / "w.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="an HDF5 file that is broken or truncated"):
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
def test_a_missing_package_is_an_error_with_the_install_command(package, name, tmp_path, monkeypatch):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["fc1/kernel"] = KERNEL
    save_onnx(TENSORS, tmp_path / "w.onnx")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CheckpointError, match=rf"needs {package}.*pip install 'verydeep\[weights\]'"):
        read_weights(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no checkpoint at .*nothing"):
        read_weights(tmp_path / "nothing")
