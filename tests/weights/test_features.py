"""A file of features only opens as a network to be tapped."""

import pytest
import torch
from safetensors.torch import save_file

from verydeep.errors import CheckpointError
from verydeep.models.build import build
from verydeep.models.taps import taps
from verydeep.spec import zoo
from verydeep.spec.preprocess import Preprocess
from verydeep.weights.checkpoint import Checkpoint, save
from verydeep.weights.features import load_network

TEXT = {"mean": "0.25", "std": "0.5"}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build(zoo.resolve("vgg-tiny")).eval()


@pytest.fixture
def tensors(model):
    return {name: value for name, value in model.state_dict().items() if name.startswith("features.")}


def test_features_are_recognised_by_names_and_shapes(model, tensors, tmp_path):
    save_file(tensors, tmp_path / "tiny.safetensors", TEXT)
    network = load_network(tmp_path / "tiny.safetensors")
    assert network.model.architecture.name == "vgg-tiny features" and network.classes == ()
    assert network.preprocess == Preprocess(size=28, channels=1, mean=(0.25,), std=(0.5,))
    images = torch.rand(2, 1, 28, 28)
    ours, theirs = (taps(each, "relu3_1")(images)["relu3_1"] for each in (network.model, model))
    assert torch.equal(ours, theirs)
    assert network.model(images).eq(0).all()  # the idle head


def test_a_checkpoint_and_a_run_folder_are_opened_as_ever(model, tmp_path):
    checkpoint = Checkpoint(model, Preprocess(size=28, channels=1, mean=(0.5,), std=(1,)), ("a",) * 10)
    save(checkpoint, tmp_path / "model.safetensors")
    for path in (tmp_path, tmp_path / "model.safetensors"):
        assert load_network(path).classes == checkpoint.classes


@pytest.mark.parametrize(
    ("change", "text", "said"),
    [
        (lambda tensors: tensors.pop("features.0.weight"), TEXT, "the features of no network in the zoo"),
        (
            lambda tensors: tensors["features.0.weight"].fill_(torch.nan),
            TEXT,
            "not finite, in features.0.weight",
        ),
        (lambda tensors: None, {}, "does not say how its images are normalised .*'mean'"),
        (lambda tensors: None, {"mean": "0.5,0.5,0.5", "std": "1,1,1"}, "mean has 3 numbers; expected 1"),
        (lambda tensors: None, {"mean": "dark", "std": "1"}, "does not say how its images are normalised"),
    ],
)
def test_what_cannot_be_used_is_refused(tensors, tmp_path, change, text, said):
    change(tensors)
    save_file(tensors, tmp_path / "tiny.safetensors", text)
    with pytest.raises(CheckpointError, match=said):
        load_network(tmp_path / "tiny.safetensors")


def test_what_is_no_file_of_tensors_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        load_network(tmp_path / "nothing")
    (tmp_path / "broken.safetensors").write_bytes(b"not tensors")
    with pytest.raises(CheckpointError, match="broken or no safetensors file"):
        load_network(tmp_path / "broken.safetensors")
