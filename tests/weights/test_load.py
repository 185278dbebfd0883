"""From a file to a network that predicts: as it is, for other classes and images, or a clear message."""

import pytest
import torch
from safetensors.torch import save_file

from verydeep.architecture import zoo
from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET, Preprocess
from verydeep.errors import ArchitectureError, CheckpointError
from verydeep.models.build import build as build_new
from verydeep.models.checkpoint import Checkpoint
from verydeep.weights.checkpoint_file import load as load_checkpoint
from verydeep.weights.checkpoint_file import save
from verydeep.weights.inspect import inspect
from verydeep.weights.load import build, load, load_classifier, pretrained
from verydeep.weights.preprocessing import imagenet_classes

from .plain import PlainResNet, PlainVgg, drawn

LINE = "8x2 M 16 M | pool2 6 6"
PLANS = {
    LINE: (PlainVgg, ([8, 8, "M", 16, "M"],), {}, "none"),
    "8 M 8x2 M | pool2 6 6": (PlainVgg, ([8, "M", 8, 8, "M"],), {"norm": True}, "batch"),
    "8k7s2 Mk3s2p1 (8 8)x2 (16s2 16) (16 16) | gap": (PlainResNet, ([2, 2],), {}, "batch"),
    "8k7s2 Mk3s2p1 (8k1 8 32k1)x2 (16k1 16s2 64k1) | gap": (
        PlainResNet, ([2, 1],), {"bottleneck": True}, "batch",
    ),
}  # fmt: skip


@pytest.mark.parametrize("line", PLANS)
def test_a_file_of_plain_torch_modules_gives_their_logits(line, tmp_path):
    kind, arguments, settings, norm = PLANS[line]
    plain = drawn(kind(*arguments, **settings))
    torch.save(plain.state_dict(), tmp_path / "w.pth")
    architecture = zoo.Architecture.from_string(
        line, norm=norm, conv_bias="(" not in line, classes=3, input=(3, 32, 32)
    )
    made = pretrained(architecture, tmp_path / "w.pth")
    images = torch.randn(4, 3, 32, 32)
    expected = plain(images)
    assert expected.std() > 0.1  # logits that say something
    torch.testing.assert_close(made.checkpoint.model(images), expected, atol=1e-5, rtol=1e-5)
    assert made.changes == () and made.new == ()


# Fitted to a task


def fitted(vgg_file, **settings):
    return pretrained(LINE, vgg_file, size=settings.pop("size", 16), **settings)


def test_other_classes_keep_all_but_the_last_layer(vgg, vgg_file):
    made = fitted(vgg_file, classes=["cat", "dog"])
    model = made.checkpoint.model
    for name, value in vgg.state_dict().items():
        if not name.startswith("classifier.6"):
            assert torch.equal(model.state_dict()[name], value)
    assert model.classifier[6].weight.shape == (2, 6) and made.new == ("classifier.6",)
    assert made.checkpoint.classes == ("cat", "dog")
    assert made.checkpoint.origin["changes"][-1:] == ["classifier.6 for 2 classes: new, drawn at random"]


def test_a_checkpoint_keeps_its_origin_until_it_is_changed(vgg_file, tmp_path):
    trained = Checkpoint(**vars(fitted(vgg_file).checkpoint) | {"origin": {"temperature": 1.5}})
    save(trained, tmp_path / "run.safetensors")
    assert load(tmp_path / "run.safetensors").origin == {"temperature": 1.5, "weights": "run.safetensors"}
    other = pretrained(None, tmp_path / "run.safetensors", classes=["cat", "dog"])
    assert "temperature" not in other.checkpoint.origin


def test_the_same_number_of_classes_keeps_the_last_layer(vgg, vgg_file):
    assert fitted(vgg_file, classes=3).new == ()


def test_in_gray_the_first_convolution_is_summed(vgg, vgg_file):
    model = build(LINE, weights=vgg_file, channels=1, size=16)
    assert torch.equal(model.features[0].weight, vgg.features[0].weight.sum(1, keepdim=True))
    gray = torch.randn(2, 1, 16, 16)
    torch.testing.assert_close(model(gray), vgg(gray.expand(-1, 3, -1, -1)), atol=1e-5, rtol=1e-5)


def test_another_size_keeps_the_head_and_pools_to_its_grid(vgg, vgg_file):
    for size in (4, 8, 24):  # maps of 1, 2 and 6 px, for a grid of 2
        made = fitted(vgg_file, size=size)
        images = torch.randn(2, 3, size, size)
        torch.testing.assert_close(made.checkpoint.model(images), vgg(images), atol=1e-5, rtol=1e-5)
        assert made.checkpoint.preprocess == IMAGENET.for_input(3, size)
        assert bool(made.changes) == (size != 8)


def test_another_head_that_is_typed_is_new(vgg, vgg_file):
    made = pretrained("8x2 M 16 M | gap 5", vgg_file, classes=4, size=16)
    assert made.new == ("classifier.0", "classifier.3")
    assert torch.equal(made.checkpoint.model.features[5].weight, vgg.features[5].weight)


def test_a_whole_network_is_loaded_without_drawing_a_number(vgg_file):
    before = torch.get_rng_state()
    build(LINE, weights=vgg_file)
    assert torch.equal(torch.get_rng_state(), before)


def test_build_without_weights_is_as_before():
    torch.manual_seed(0)
    ours = build("vgg-tiny", classes=4, size=16, channels=3)
    torch.manual_seed(0)
    expected = build_new(zoo.resolve("vgg-tiny").with_classes(4).with_input(3, 16))
    assert all(map(torch.equal, ours.parameters(), expected.parameters()))


def test_our_own_checkpoint_is_a_source_too(vgg_file, tmp_path):
    save(fitted(vgg_file).checkpoint, tmp_path / "model.safetensors")
    made = pretrained(None, tmp_path, classes=5)
    assert made.new == ("classifier.6",) and made.checkpoint.preprocess.size == 16
    assert load(tmp_path).classes == ("class 0", "class 1", "class 2")


def test_what_was_made_is_saved_and_loaded_again(vgg, vgg_file, tmp_path):
    made = fitted(vgg_file, channels=1).checkpoint
    save(made, tmp_path / "made.safetensors")
    again = load_checkpoint(tmp_path / "made.safetensors")
    gray = torch.randn(2, 1, 16, 16)
    assert torch.equal(again.model(gray), made.model(gray))
    assert (again.preprocess, again.classes) == (made.preprocess, made.classes)


def test_published_weights_need_a_network_by_their_side():
    with pytest.raises(CheckpointError, match='needs a network beside it, such as "vgg16"'):
        load("imagenet")


# Features only


@pytest.fixture
def features_file(vgg, tmp_path):
    tensors = {name: value for name, value in vgg.state_dict().items() if name.startswith("features")}
    save_file(tensors, tmp_path / "features.safetensors")
    return tmp_path / "features.safetensors"


def test_features_get_a_new_head_where_classes_are_given(vgg, features_file):
    made = pretrained(LINE, features_file, classes=5, size=16)
    assert made.new == ("classifier.0", "classifier.3", "classifier.6")
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(made.checkpoint.model.features(images), vgg.features(images))


def test_features_are_not_taken_for_a_network(features_file):
    with pytest.raises(CheckpointError, match=r"holds the features of .* and no head.*classes=10"):
        build(LINE, weights=features_file)


def test_features_as_they_are_end_in_zero_and_name_nothing(tmp_path):
    tensors = {n: v for n, v in build_new(zoo.resolve("vgg-tiny")).state_dict().items() if "features" in n}
    save_file(tensors, tmp_path / "f.safetensors")
    found = load(tmp_path / "f.safetensors")
    assert found.classes == () and found.model.architecture.string == "24 M 64 M 128 M | gap"
    assert torch.equal(found.model(torch.randn(2, 1, 28, 28)), torch.zeros(2, 1))
    save(found, tmp_path / "whole.safetensors")
    assert load(tmp_path / "whole.safetensors").classes == ()
    with pytest.raises(CheckpointError, match="no head: it names nothing"):
        load_classifier(tmp_path / "whole.safetensors")
    assert not inspect(tmp_path / "whole.safetensors").has_head


# What does not fit


def changed(vgg, tmp_path, **tensors):
    torch.save({**vgg.state_dict(), **tensors}, tmp_path / "changed.pth")
    return tmp_path / "changed.pth"


def test_nan_is_refused_by_name(vgg, tmp_path):
    weight = vgg.features[2].weight.detach().clone()
    weight[0, 0, 0, 0] = float("inf")
    file = changed(vgg, tmp_path, **{"features.2.weight": weight})
    with pytest.raises(CheckpointError, match=r"not finite in features\.2\.weight: the training diverged"):
        build(LINE, weights=file)


def test_values_so_large_that_their_sum_overflows_are_fine(vgg, tmp_path):
    weight = torch.full_like(vgg.classifier[3].weight, 3e38)
    made = build(LINE, weights=changed(vgg, tmp_path, **{"classifier.3.weight": weight}))
    assert torch.equal(made.classifier[3].weight, weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_fp32(dtype, vgg, tmp_path):
    torch.save({name: value.to(dtype) for name, value in vgg.state_dict().items()}, tmp_path / "w.pth")
    model = build(LINE, weights=tmp_path / "w.pth")
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    torch.testing.assert_close(model.features[0].weight, vgg.features[0].weight, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64])
def test_no_float_is_refused(dtype, vgg, tmp_path):
    file = changed(vgg, tmp_path, **{"features.0.weight": torch.zeros(8, 3, 3, 3, dtype=dtype)})
    with pytest.raises(CheckpointError, match=r"weight is (int8|bool|complex64); expected float32"):
        build(LINE, weights=file)


def test_more_than_the_network_is_refused_and_can_be_left(vgg, tmp_path):
    file = changed(vgg, tmp_path, **{"rpn.weight": torch.zeros(2)})
    with pytest.raises(CheckpointError, match=r"and more: rpn\.weight would be left over.*features_only"):
        pretrained(LINE, file)
    made = pretrained(LINE, file, features_only=True, classes=2, size=16)
    assert torch.equal(made.checkpoint.model.features[0].weight, vgg.features[0].weight)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("8x3 M 16 M | gap", "is not that: missing"),
        ("vgg16", "neither its names nor its shapes|comes nearest to"),
    ],
)
def test_another_network_is_refused(network, said, vgg_file):
    with pytest.raises(CheckpointError, match=said):
        build(network, weights=vgg_file)


def test_weights_of_another_network_of_the_zoo_are_named(tmp_path):
    torch.save(build_new(zoo.resolve("vgg-tiny")).state_dict(), tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="holds the weights of vgg-tiny, and vgg16 was asked for"):
        build("vgg16", weights=tmp_path / "w.pth")


def test_gray_weights_take_no_color(tmp_path):
    torch.save(build_new(zoo.resolve("vgg-tiny")).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ArchitectureError, match="trained on images of 1 channels"):
        build("vgg-tiny", weights=tmp_path / "w.pth", channels=3)


# The preprocessing


def test_the_layout_says_what_the_network_sees(vgg_file):
    assert fitted(vgg_file, size=224).checkpoint.preprocess == IMAGENET


def test_a_safetensors_file_may_state_mean_and_std(vgg, tmp_path):
    text = {"mean": "0.1,0.2,0.3", "std": "1,1,1"}
    save_file(vgg.state_dict(), tmp_path / "w.safetensors", text)
    assert pretrained(LINE, tmp_path / "w.safetensors").checkpoint.preprocess.mean == (0.1, 0.2, 0.3)
    save_file(vgg.state_dict(), tmp_path / "w.safetensors", text | {"std": "?"})
    assert pretrained(LINE, tmp_path / "w.safetensors").checkpoint.preprocess.mean == IMAGENET.mean


def test_the_users_word_comes_first(vgg_file):
    assert fitted(vgg_file, size=224, preprocess=CAFFE).checkpoint.preprocess == CAFFE


def test_torchvisions_second_resnet_weights_are_known_by_their_name(tmp_path):
    torch.save(build_new(zoo.resolve("resnet50")).state_dict(), tmp_path / "resnet50-11ad3fa6.pth")
    found = inspect(tmp_path / "resnet50-11ad3fa6.pth")
    assert (found.network, found.preprocess.resize) == ("resnet50", 232)
    assert found.preprocess_known == "the name of the file"


def test_inspect_says_what_does_not_match(vgg, vgg_file, tmp_path):
    found = inspect(vgg_file)
    assert found.network is None and found.problem
    torch.save({"model": build_new(zoo.resolve("vgg-tiny")).state_dict()}, tmp_path / "w.pth")
    found = inspect(tmp_path / "w.pth")
    assert (found.network, found.layout, found.container) == ("vgg-tiny", "torchvision", "model")
    assert (found.classes, found.channels, found.has_head) == (10, 1, True)
    assert len(found.matched) == 22 and not found.missing and not found.left_over
    assert found.preprocess == IMAGENET.for_input(1, 28)


def test_imagenets_classes_are_a_thousand_different_names():
    names = imagenet_classes()
    assert len(names) == len(set(names)) == 1000
    # ILSVRC 2012, as in Keras's imagenet_class_index.json: these places are widely known.
    assert (names[0], names[281], names[999]) == ("tench", "tabby", "toilet tissue")


def test_a_thousand_classes_are_imagenets(tmp_path):
    line = zoo.resolve("4 M | gap").with_input(3, 8)
    torch.save(build_new(line).state_dict(), tmp_path / "w.pth")
    assert pretrained(line, tmp_path / "w.pth").checkpoint.classes == imagenet_classes()


def test_own_preprocessing_goes_with_the_features(tmp_path):
    own = Preprocess(size=8, channels=1, mean=(0.3,), std=(0.2,))
    line = zoo.resolve("4 M | gap").with_input(1, 8).with_classes(2)
    save(Checkpoint(build_new(line), own, ("a", "b")), tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors", features_only=True).preprocess == own
    assert load(tmp_path / "m.safetensors", preprocess=CAFFE_RGB.for_input(1, 8)).preprocess.size == 8
