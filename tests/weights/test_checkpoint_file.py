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
from verydeep.weights.checkpoint_file import load, save

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

    monkeypatch.setattr("verydeep.weights.checkpoint_file.save_file", full_disk)
    with pytest.raises(OSError, match="No space"):
        save(Checkpoint(build(NET), PREPROCESS, ("cat", "dog")), saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
