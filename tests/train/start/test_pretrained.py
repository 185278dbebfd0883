"""Pretrained weights as the start of training: other classes, other heads, other layers, other sizes."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError, DownloadError, RecipeError, ShapeError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.start.pretrained import (
    at_size,
    fitting_size,
    last_layer,
    pretrained_network,
    with_dropout,
)
from verydeep.weight_files.checkpoint_file import save

CLASSES = ("circle", "square", "triangle")
PREPROCESS = Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3)


def write_network(path, string, classes=("a", "b", "c", "d", "e"), **settings):
    torch.manual_seed(0)
    architecture = Architecture.from_string(string, input=(3, 16, 16), classes=len(classes), **settings)
    model = build(architecture).eval()
    save(Checkpoint(model, PREPROCESS, classes, {"temperature": 1.5}), path)
    return model


@pytest.fixture
def plain(tmp_path):
    """A file of a network with hidden layers, and the network."""
    return tmp_path / "plain.safetensors", write_network(
        tmp_path / "plain.safetensors", "8 M 16x2 M | pool4 24"
    )


def test_gap_keeps_the_convolutions_under_global_average_pooling(plain):
    file, model = plain
    network = pretrained_network(str(file), None, "gap", CLASSES, seed=0)
    assert network.model.architecture.string == "8 M 16x2 M | gap"
    assert network.classes == CLASSES and network.model.architecture.classes == 3
    for name, value in model.features.state_dict().items():
        assert torch.equal(network.model.features.state_dict()[name], value)
    assert network.origin == {"weights": "plain.safetensors"}  # the temperature is of another classifier


def test_whole_keeps_the_hidden_layers(plain):
    file, model = plain
    network = pretrained_network(str(file), None, "whole", CLASSES, seed=0)
    assert network.model.architecture.string == "8 M 16x2 M | pool4 24"
    assert torch.equal(network.model.classifier[0].weight, model.classifier[0].weight)
    assert last_layer(network.model).out_features == 3


@pytest.mark.parametrize(
    ("layer", "string"), [("relu2_1", "8 M 16 | gap"), ("relu1_1", "8 | gap"), ("pool1", "8 M | gap")]
)
def test_a_layer_ends_the_network_there(plain, layer, string):
    network = pretrained_network(str(plain[0]), None, layer, CLASSES, seed=0)
    assert network.model.architecture.string == string
    assert network.model.architecture.name.endswith(f"-to-{layer}")
    assert network.model(torch.zeros(1, 3, 16, 16)).shape == (1, 3)


def test_a_layer_that_the_network_lacks_is_refused_with_the_layers_that_it_has(plain):
    with pytest.raises(
        RecipeError, match=r"head is 'relu9_9'; expected gap, whole, or a layer of .*relu1_1, pool1"
    ):
        pretrained_network(str(plain[0]), None, "relu9_9", CLASSES, seed=0)


def test_the_seed_decides_the_new_last_layer_and_leaves_the_random_state(plain):
    state = torch.get_rng_state()
    first, second, other = (
        last_layer(pretrained_network(str(plain[0]), None, "gap", CLASSES, seed).model).weight
        for seed in (1, 1, 2)
    )
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(first, second) and not torch.equal(first, other)


@pytest.mark.parametrize("as_folder", [True, False])
def test_weights_of_these_very_classes_keep_their_last_layer(tmp_path, as_folder):
    file = tmp_path / "run" / "model.safetensors"
    model = write_network(file, "8 M 16 | gap", CLASSES)
    weights = str(file.parent if as_folder else file)
    kept = pretrained_network(weights, None, "gap", CLASSES, seed=9)
    assert torch.equal(last_layer(kept.model).weight, last_layer(model).weight)
    others = pretrained_network(weights, None, "gap", ("x", "y", "z"), seed=9)
    assert not torch.equal(last_layer(others.model).weight, last_layer(model).weight)


def test_gray_images_use_the_first_convolution_summed_over_the_colors(plain):
    file, model = plain
    network = pretrained_network(str(file), None, "gap", CLASSES, 0, channels=1)
    assert network.preprocess.channels == 1
    first = network.model.features[0].weight
    assert first.shape == (8, 1, 3, 3)
    summed = model.features[0].weight.sum(1, keepdim=True)
    ratio = (first / summed).flatten()
    assert torch.allclose(ratio, ratio[0].expand_as(ratio), rtol=1e-3)


@pytest.mark.slow
def test_hidden_layers_that_the_weights_lack_are_refused(tmp_path):
    layers = build(Architecture.from_string("64 M 128 M 256x2 M 512x2 M 512x2 M | gap", input=(3, 32, 32)))
    file = tmp_path / "vgg11-features.safetensors"
    save_file(layers.features.state_dict(prefix="features."), file)
    with pytest.raises(
        CheckpointError, match=r"has no classifier\.0, classifier\.3, which --head whole keeps"
    ):
        pretrained_network(str(file), None, "whole", CLASSES, seed=0)


def test_a_single_hidden_layer_that_the_weights_lack_is_refused(tmp_path):
    architecture = Architecture.from_string("8 M 16 M | gap 12", input=(3, 16, 16), classes=5)
    file = tmp_path / "features.safetensors"
    save_file(build(architecture).features.state_dict(prefix="features."), file)
    with pytest.raises(CheckpointError, match="which --head whole keeps"):
        pretrained_network(str(file), "8 M 16 M | gap 12", "whole", CLASSES, seed=0)


def test_imagenet_weights_need_a_model():
    with pytest.raises(RecipeError, match="--weights imagenet needs --model"):
        pretrained_network("imagenet", None, "gap", CLASSES, seed=0)


def test_another_size_shares_the_tensors_and_a_size_too_small_is_refused(plain):
    network = pretrained_network(str(plain[0]), None, "gap", CLASSES, seed=0)
    larger = at_size(network, 24)
    assert (larger.preprocess.size, larger.preprocess.resize) == (24, None)
    assert larger.model.architecture.input == (3, 24, 24)
    assert larger.model.features[0].weight.data_ptr() == network.model.features[0].weight.data_ptr()
    with pytest.raises(ShapeError, match="needs at least"):
        at_size(network, 2)


def test_dropout_is_that_of_the_recipe(plain):
    network = pretrained_network(str(plain[0]), None, "whole", CLASSES, seed=0)
    changed = with_dropout(network, 0.125)
    assert [module.p for module in changed.model.modules() if isinstance(module, torch.nn.Dropout)] == [0.125]
    assert with_dropout(network, None) is network


@pytest.mark.parametrize(
    ("asked", "short_side", "own", "size", "reason"),
    [
        (50, 400, 224, 50, "50 px, as given by --size"),
        (None, 95, 224, 96, "96 px, as half of the images"),
        (None, 127, 224, 96, "96 px, as half of the images"),
        (None, 128, 224, 128, "128 px, as half of the images"),
        (None, 4000, 224, 224, "224 px, as half of the images"),
        (None, 400, 28, 28, "28 px, the size that the weights were trained on"),
    ],
)
def test_the_image_size_fits_the_images_and_the_weights(asked, short_side, own, size, reason):
    chosen, text = fitting_size(asked, short_side, own)
    assert chosen == size and text.startswith(reason)


@pytest.mark.parametrize("norm", ["batch", "batch-after-pool"])
def test_batch_norm_comes_along(tmp_path, norm):
    model = write_network(tmp_path / "normed.safetensors", "8 M 16 M | gap", norm=norm)
    network = pretrained_network(str(tmp_path / "normed.safetensors"), None, "gap", CLASSES, seed=0)
    assert replace(network.model.architecture, name="", classes=5) == replace(model.architecture, name="")


def test_a_string_leaves_the_norm_to_the_weights(tmp_path):
    write_network(tmp_path / "n.safetensors", "8 M 16 | pool4 24", norm="batch")
    network = pretrained_network(str(tmp_path / "n.safetensors"), "8 M 16 | pool4 24", "gap", CLASSES, seed=0)
    assert network.model.architecture.norm == "batch"
    with pytest.raises(CheckpointError, match=r"holds weights of 8 M 16 \| pool4 24, but 8 M 32"):
        pretrained_network(str(tmp_path / "n.safetensors"), "8 M 32 | pool4 24", "gap", CLASSES, seed=0)


@pytest.mark.parametrize("name", ["vgg16.imagenet1k_v1", "timm/vgg16.tv_in1k", "resnet18"])
def test_a_published_name_with_a_period_or_a_slash_is_no_path(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    for variable in ("HOME", "VERYDEEP_CACHE", "TORCH_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "empty"))
    with pytest.raises(DownloadError, match="VERYDEEP_OFFLINE"):
        pretrained_network(name, None, "gap", ("a", "b"), 0)
    with pytest.raises(CheckpointError, match=r"no checkpoint at vgg16\.pth"):
        pretrained_network("vgg16.pth", None, "gap", ("a", "b"), 0)
