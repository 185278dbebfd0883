"""A checkpoint is loaded as a complete network, or refused with a clear message."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weight_files.checkpoint_file import load, save
from verydeep.weight_files.tensor_checksum import tensor_checksum

NET = Architecture.from_string(
    "8 M (8 8) | gap 6", "tiny", norm="batch-after-pool", input=(1, 8, 8), classes=2, dropout=0.25
)
PREPROCESS = Preprocess(size=8, channels=1, mean=(0.3,), std=(0.2,))


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    checkpoint = Checkpoint(build(NET), PREPROCESS, ("cat", "dog"), {"data": "pets"})
    save(checkpoint, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_load_gives_what_was_saved(saved):
    torch.manual_seed(0)
    expected = build(NET).eval()
    loaded = load(saved)
    assert loaded.model.architecture == NET
    assert (loaded.preprocess, loaded.classes, loaded.origin) == (
        PREPROCESS,
        ("cat", "dog"),
        {"data": "pets"},
    )
    assert not loaded.model.training
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(loaded.model(images), expected(images))


def test_a_run_folder_is_loaded_by_its_checkpoint(saved):
    assert load(saved.parent).classes == ("cat", "dog")


def rewrite(path, change):
    tensors = load_file(path)
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    description = json.loads(header["__metadata__"]["verydeep"])
    change(tensors, description)
    save_file(tensors, path, {"verydeep": json.dumps(description)})


def drop_a_tensor(tensors, description):
    del tensors["classifier.3.weight"]


def add_a_tensor(tensors, description):
    tensors["extra"] = torch.zeros(1)


def make_nan(tensors, description):
    tensors["features.0.weight"][0] = float("nan")


def change_a_class(tensors, description):
    description["classes"].append("bird")


def drop_the_classes(tensors, description):
    del description["classes"]


def break_the_architecture_string(tensors, description):
    description["architecture"]["string"] = "8 Q | gap"


def use_an_unknown_norm(tensors, description):
    description["architecture"]["norm"] = "layer"


def use_a_newer_format(tensors, description):
    description["format"] = 2


def break_the_preprocessing(tensors, description):
    description["preprocess"]["std"] = [0.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_a_tensor, r"missing: classifier\.3\.weight"),
        (add_a_tensor, "unexpected: extra"),
        (make_nan, r"not finite: features\.0\.weight"),
        (change_a_class, r"wrong shape: classifier\.3\.bias, classifier\.3\.weight"),
        (drop_the_classes, "classes: Field required"),
        (break_the_architecture_string, "token 2 of '8 Q | gap'"),
        (use_an_unknown_norm, r"architecture\.norm: Input should be 'none', 'batch' or"),
        (use_a_newer_format, "format: Input should be 1"),
        (break_the_preprocessing, "std"),
    ],
)
def test_a_misfit_is_named(saved, change, message):
    rewrite(saved, change)
    with pytest.raises(CheckpointError, match=message):
        load(saved)


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_truncated_file_is_refused(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"is broken or not a safetensors file.*Copy or train it again"):
        load(saved)


def test_weights_of_another_project_are_not_a_checkpoint(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="is not a verydeep checkpoint"):
        load(tmp_path / "foreign.safetensors")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        load(tmp_path / "nothing")


class Trap:
    def __reduce__(self):
        return (open, ("trapped", "w"))


def test_code_in_a_pickle_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.safetensors").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError):
        load(tmp_path / "evil.safetensors")
    assert not (tmp_path / "trapped").exists()


def test_a_failed_save_keeps_the_old_file_and_leaves_no_other(saved, monkeypatch):
    before = saved.read_bytes()

    def full_disk(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("verydeep.weight_files.checkpoint_file.save_file", full_disk)
    with pytest.raises(OSError, match="No space"):
        save(Checkpoint(build(NET), PREPROCESS, ("cat", "dog")), saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


# The checksum of the tensors


def altered(path):
    """The file with one bit changed in the middle of its tensors, which stay finite."""
    content = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    content[(start + len(content)) // 2 // 4 * 4] ^= 1
    path.write_bytes(content)
    return path


def test_altered_bytes_inside_tensors_are_refused(saved):
    load(saved)
    altered(saved)
    with pytest.raises(
        CheckpointError, match=r"the bytes of its tensors are not those that were saved"
    ) as caught:
        load(saved)
    assert "\n" not in str(caught.value)
    assert load(saved, verify=False).classes == ("cat", "dog")


def test_swapped_tensors_of_one_shape_have_another_checksum():
    a, b = torch.zeros(2), torch.ones(2)
    assert tensor_checksum({"a": a, "b": b}) == tensor_checksum({"b": b, "a": a})
    assert tensor_checksum({"a": a, "b": b}) != tensor_checksum({"a": b, "b": a})
    assert tensor_checksum({"a": a}) != tensor_checksum({"a": a.view(1, 2)})
    assert tensor_checksum({"a": torch.zeros(0)}) != tensor_checksum({})


def test_a_file_from_before_the_checksum_is_loaded(saved):
    rewrite(saved, lambda tensors, description: None)  # without a checksum
    assert load(saved).classes == ("cat", "dog")


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.float8_e4m3fn, torch.complex64])
def test_a_type_that_is_not_floating_point_is_named(saved, dtype):
    rewrite(saved, lambda tensors, _: tensors.update({"features.0.weight": torch.ones(8, 1, 3, 3).to(dtype)}))
    with pytest.raises(CheckpointError, match=r"features\.0\.weight is \w+; expected float32, float16"):
        load(saved)


def test_fp16_tensors_become_fp32(saved):
    rewrite(
        saved,
        lambda tensors, _: tensors.update({n: v.half() for n, v in tensors.items() if v.is_floating_point()}),
    )
    loaded = load(saved)
    assert {value.dtype for value in loaded.model.parameters()} == {torch.float32}
    assert loaded.model(torch.randn(2, 1, 8, 8)).isfinite().all()


@pytest.mark.parametrize(
    ("name", "value"), [("mean", 1e308), ("mean", -1e30), ("std", 1e-300), ("scale", 1e39)]
)
def test_a_preprocessing_that_overflows_is_refused(saved, name, value):
    rewrite(
        saved,
        lambda _, description: description["preprocess"].update(
            {name: value if name == "scale" else [value]}
        ),
    )
    with pytest.raises(CheckpointError, match=name):
        load(saved)


def test_a_temperature_that_overflows_is_refused(saved):
    rewrite(saved, lambda _, description: description["origin"].update(temperature=1e-320))
    with pytest.raises(
        CheckpointError, match="the temperature of the checkpoint is 1e-320; expected a number"
    ):
        _ = load(saved).temperature
