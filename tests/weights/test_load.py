"""A weight file is loaded as it is, fitted to other classes and images, or refused with a clear message."""

import pytest
import torch
from safetensors.torch import save_file

from verydeep.architecture import zoo
from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET, Preprocess
from verydeep.errors import ArchitectureError, CheckpointError
from verydeep.models.build import build as build_untrained
from verydeep.models.checkpoint import Checkpoint
from verydeep.weight_files.checkpoint_file import load as load_checkpoint
from verydeep.weight_files.checkpoint_file import save
from verydeep.weights.catalog import catalog
from verydeep.weights.class_names import imagenet_classes
from verydeep.weights.inspect import inspect
from verydeep.weights.load import build, load, load_classifier, pretrained
from verydeep.weights.preprocessing import recognized_preprocess

from .plain_models import PlainResNet, PlainVgg, randomized

STRING = "8x2 M 16 M | pool2 6 6"
PLAIN_MODELS = {
    STRING: (PlainVgg, ([8, 8, "M", 16, "M"],), {}, "none"),
    "8 M 8x2 M | pool2 6 6": (PlainVgg, ([8, "M", 8, 8, "M"],), {"norm": True}, "batch"),
    "8k7s2 Mk3s2p1 (8 8)x2 (16s2 16) (16 16) | gap": (PlainResNet, ([2, 2],), {}, "batch"),
    "8k7s2 Mk3s2p1 (8k1 8 32k1)x2 (16k1 16s2 64k1) | gap": (
        PlainResNet, ([2, 1],), {"bottleneck": True}, "batch",
    ),
}  # fmt: skip


@pytest.mark.parametrize("string", PLAIN_MODELS)
def test_a_loaded_network_has_the_logits_of_plain_torch_modules(string, tmp_path):
    model_class, arguments, settings, norm = PLAIN_MODELS[string]
    plain = randomized(model_class(*arguments, **settings))
    torch.save(plain.state_dict(), tmp_path / "w.pth")
    architecture = zoo.Architecture.from_string(
        string, norm=norm, conv_bias="(" not in string, classes=3, input=(3, 32, 32)
    )
    loaded = pretrained(architecture, tmp_path / "w.pth")
    images = torch.randn(4, 3, 32, 32)
    expected = plain(images)
    assert expected.std() > 0.1  # not all logits equal
    torch.testing.assert_close(loaded.checkpoint.model(images), expected, atol=1e-5, rtol=1e-5)
    assert loaded.changes == () and loaded.new_layers == ()


# Fitted to a task


def fitted(vgg_file, **settings):
    return pretrained(STRING, vgg_file, size=settings.pop("size", 16), **settings)


def test_another_number_of_classes_changes_the_last_layer_only(vgg, vgg_file):
    loaded = fitted(vgg_file, classes=["cat", "dog"])
    model = loaded.checkpoint.model
    for name, value in vgg.state_dict().items():
        if not name.startswith("classifier.6"):
            assert torch.equal(model.state_dict()[name], value)
    assert model.classifier[6].weight.shape == (2, 6) and loaded.new_layers == ("classifier.6",)
    assert loaded.checkpoint.classes == ("cat", "dog")
    assert loaded.checkpoint.origin["changes"][-1:] == ["classifier.6 for 2 classes: random initialization"]


def test_a_checkpoint_keeps_its_origin_until_it_is_changed(vgg_file, tmp_path):
    trained = Checkpoint(**vars(fitted(vgg_file).checkpoint) | {"origin": {"temperature": 1.5}})
    save(trained, tmp_path / "run.safetensors")
    assert load(tmp_path / "run.safetensors").origin == {"temperature": 1.5, "weights": "run.safetensors"}
    other = pretrained(None, tmp_path / "run.safetensors", classes=["cat", "dog"])
    assert "temperature" not in other.checkpoint.origin


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"size": 24}, ["images of 24 px instead of 16"]),
        ({"preprocess": CAFFE}, ["another preprocessing than in the training"]),
        ({"preprocess": IMAGENET}, []),
    ],
)
def test_the_origin_is_left_out_where_images_are_preprocessed_in_another_way(settings, changes, tmp_path):
    model = build_untrained(zoo.resolve("4 M | gap").with_input(3, 16).with_classes(2))
    trained = Checkpoint(model, IMAGENET.for_input(3, 16), ("a", "b"), {"temperature": 1.5, "test_top1": 0.9})
    save(trained, tmp_path / "run.safetensors")
    loaded = pretrained(None, tmp_path / "run.safetensors", **settings)
    assert list(loaded.changes) == loaded.checkpoint.origin.get("changes", []) == changes
    assert ("test_top1" in loaded.checkpoint.origin) == (not changes)


def test_the_same_number_of_classes_keeps_the_last_layer(vgg, vgg_file):
    assert fitted(vgg_file, classes=3).new_layers == ()


def test_for_gray_images_the_first_convolution_is_summed(vgg, vgg_file):
    model = build(STRING, weights=vgg_file, channels=1, size=16)
    assert torch.equal(model.features[0].weight, vgg.features[0].weight.sum(1, keepdim=True))
    gray = torch.randn(2, 1, 16, 16)
    torch.testing.assert_close(model(gray), vgg(gray.expand(-1, 3, -1, -1)), atol=1e-5, rtol=1e-5)


def test_another_size_keeps_the_head_and_pools_to_its_grid(vgg, vgg_file):
    for size in (4, 8, 24):  # maps of 1, 2 and 6 px, for a grid of 2
        loaded = fitted(vgg_file, size=size)
        images = torch.randn(2, 3, size, size)
        torch.testing.assert_close(loaded.checkpoint.model(images), vgg(images), atol=1e-5, rtol=1e-5)
        assert loaded.checkpoint.preprocess == IMAGENET.for_input(3, size)
        assert bool(loaded.changes) == (size != 8)


def test_another_head_in_the_architecture_string_is_initialized(vgg, vgg_file):
    loaded = pretrained("8x2 M 16 M | gap 5", vgg_file, classes=4, size=16)
    assert loaded.new_layers == ("classifier.0", "classifier.3")
    assert torch.equal(loaded.checkpoint.model.features[5].weight, vgg.features[5].weight)


def test_a_complete_network_is_loaded_without_random_numbers(vgg_file):
    before = torch.get_rng_state()
    build(STRING, weights=vgg_file)
    assert torch.equal(torch.get_rng_state(), before)


def test_build_without_weights_is_a_random_initialization():
    torch.manual_seed(0)
    built = build("vgg-tiny", classes=4, size=16, channels=3)
    torch.manual_seed(0)
    expected = build_untrained(zoo.resolve("vgg-tiny").with_classes(4).with_input(3, 16))
    assert all(map(torch.equal, built.parameters(), expected.parameters()))


def test_a_checkpoint_is_fitted_like_a_weight_file(vgg_file, tmp_path):
    save(fitted(vgg_file).checkpoint, tmp_path / "model.safetensors")
    loaded = pretrained(None, tmp_path, classes=5)
    assert loaded.new_layers == ("classifier.6",) and loaded.checkpoint.preprocess.size == 16
    assert load(tmp_path).classes == ("class 0", "class 1", "class 2")


def test_a_fitted_network_is_saved_and_loaded_again(vgg, vgg_file, tmp_path):
    network = fitted(vgg_file, channels=1).checkpoint
    save(network, tmp_path / "gray.safetensors")
    loaded = load_checkpoint(tmp_path / "gray.safetensors")
    gray = torch.randn(2, 1, 16, 16)
    assert torch.equal(loaded.model(gray), network.model(gray))
    assert (loaded.preprocess, loaded.classes) == (network.preprocess, network.classes)


def test_a_size_or_channels_of_zero_are_refused(vgg_file):
    for settings in ({"size": 0}, {"channels": 0}):
        for weights in (None, vgg_file):
            with pytest.raises(ArchitectureError, match="must be at least 1"):
                build(STRING, weights=weights, **settings)


@pytest.mark.parametrize("name", ["vgg16", "vgg16.keras_notop", "timm/vgg16.tv_in1k"])
def test_the_name_of_published_weights_in_place_of_a_file_is_explained(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for read in (load, inspect):
        with pytest.raises(CheckpointError, match=f"published weights.*: verydeep weights get {name}$"):
            read(name)
    model = build_untrained(zoo.resolve("4 M | gap").with_classes(1))
    save(Checkpoint(model, IMAGENET, ()), tmp_path / "vgg16")
    assert load("vgg16").classes == ()  # a file of this name is that file


def test_published_weights_need_the_name_of_a_network():
    with pytest.raises(CheckpointError, match='needs the name of a network, such as "vgg16"'):
        load("imagenet")


# Features only


@pytest.fixture
def features_file(vgg, tmp_path):
    tensors = {name: value for name, value in vgg.state_dict().items() if name.startswith("features")}
    save_file(tensors, tmp_path / "features.safetensors")
    return tmp_path / "features.safetensors"


def test_features_with_classes_get_a_new_head(vgg, features_file):
    loaded = pretrained(STRING, features_file, classes=5, size=16)
    assert loaded.new_layers == ("classifier.0", "classifier.3", "classifier.6")
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(loaded.checkpoint.model.features(images), vgg.features(images))


def test_features_without_classes_are_refused_by_build(features_file):
    with pytest.raises(CheckpointError, match=r"holds the features of .* without a head.*classes=10"):
        build(STRING, weights=features_file)


def test_loaded_features_have_a_zero_logit_and_no_classes(tmp_path):
    tensors = {
        key: value
        for key, value in build_untrained(zoo.resolve("vgg-tiny")).state_dict().items()
        if "features" in key
    }
    save_file(tensors, tmp_path / "f.safetensors")
    features = load(tmp_path / "f.safetensors")
    assert features.classes == () and features.model.architecture.string == "24 M 64 M 128 M | gap"
    assert torch.equal(features.model(torch.randn(2, 1, 28, 28)), torch.zeros(2, 1))
    save(features, tmp_path / "saved.safetensors")
    assert load(tmp_path / "saved.safetensors").classes == ()
    with pytest.raises(CheckpointError, match="without a classifier head and cannot classify"):
        load_classifier(tmp_path / "saved.safetensors")
    assert not inspect(tmp_path / "saved.safetensors").has_head


# Weights that do not fit


def changed(vgg, tmp_path, **tensors):
    torch.save({**vgg.state_dict(), **tensors}, tmp_path / "changed.pth")
    return tmp_path / "changed.pth"


def test_a_tensor_with_infinity_is_refused_by_name(vgg, tmp_path):
    weight = vgg.features[2].weight.detach().clone()
    weight[0, 0, 0, 0] = float("inf")
    file = changed(vgg, tmp_path, **{"features.2.weight": weight})
    with pytest.raises(CheckpointError, match=r"not finite in features\.2\.weight: the training diverged"):
        build(STRING, weights=file)


def test_finite_values_whose_sum_overflows_are_accepted(vgg, tmp_path):
    weight = torch.full_like(vgg.classifier[3].weight, 3e38)
    model = build(STRING, weights=changed(vgg, tmp_path, **{"classifier.3.weight": weight}))
    assert torch.equal(model.classifier[3].weight, weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_fp32(dtype, vgg, tmp_path):
    torch.save({name: value.to(dtype) for name, value in vgg.state_dict().items()}, tmp_path / "w.pth")
    model = build(STRING, weights=tmp_path / "w.pth")
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    torch.testing.assert_close(model.features[0].weight, vgg.features[0].weight, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64])
def test_a_type_that_is_not_floating_point_is_refused(dtype, vgg, tmp_path):
    file = changed(vgg, tmp_path, **{"features.0.weight": torch.zeros(8, 3, 3, 3, dtype=dtype)})
    with pytest.raises(CheckpointError, match=r"weight is (int8|bool|complex64); expected float32"):
        build(STRING, weights=file)


def test_unexpected_tensors_are_refused_or_ignored_with_features_only(vgg, tmp_path):
    file = changed(vgg, tmp_path, **{"rpn.weight": torch.zeros(2)})
    with pytest.raises(CheckpointError, match=r"and unexpected tensors: rpn\.weight\. .*features_only"):
        pretrained(STRING, file)
    loaded = pretrained(STRING, file, features_only=True, classes=2, size=16)
    assert torch.equal(loaded.checkpoint.model.features[0].weight, vgg.features[0].weight)


def test_the_command_in_a_message_quotes_the_path(vgg, tmp_path):
    (tmp_path / "my nets").mkdir()
    file = changed(vgg, tmp_path / "my nets", **{"rpn.weight": torch.zeros(2)})
    with pytest.raises(CheckpointError, match=f"weights import '{file}' --features-only"):
        pretrained(STRING, file)
    with pytest.raises(CheckpointError, match=f"weights import '{file}' --"):
        pretrained(None, file)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("8x3 M 16 M | gap", "The closest is .*: missing"),
        ("vgg16", "neither its keys nor its shapes|The closest is"),
    ],
)
def test_another_network_is_refused(network, message, vgg_file):
    with pytest.raises(CheckpointError, match=message):
        build(network, weights=vgg_file)


def test_weights_of_another_network_of_the_zoo_are_named(tmp_path):
    torch.save(build_untrained(zoo.resolve("vgg-tiny")).state_dict(), tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="holds weights of vgg-tiny, but vgg16 was requested"):
        build("vgg16", weights=tmp_path / "w.pth")


def test_gray_weights_do_not_fit_color_images(tmp_path):
    torch.save(build_untrained(zoo.resolve("vgg-tiny")).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ArchitectureError, match="trained on images with 1 channels"):
        build("vgg-tiny", weights=tmp_path / "w.pth", channels=3)


# The preprocessing


def test_the_layout_has_a_usual_preprocessing(vgg_file):
    assert fitted(vgg_file, size=224).checkpoint.preprocess == IMAGENET


def test_a_safetensors_file_may_state_mean_and_std(vgg, tmp_path):
    metadata = {"mean": "0.1,0.2,0.3", "std": "1,1,1"}
    save_file(vgg.state_dict(), tmp_path / "w.safetensors", metadata)
    assert pretrained(STRING, tmp_path / "w.safetensors").checkpoint.preprocess.mean == (0.1, 0.2, 0.3)
    save_file(vgg.state_dict(), tmp_path / "w.safetensors", metadata | {"std": "?"})
    assert pretrained(STRING, tmp_path / "w.safetensors").checkpoint.preprocess.mean == IMAGENET.mean


def test_the_argument_has_priority_over_the_layout(vgg_file):
    assert fitted(vgg_file, size=224, preprocess=CAFFE).checkpoint.preprocess == CAFFE


def test_a_given_preprocessing_is_for_the_size_and_the_channels_of_the_network(tmp_path):
    torch.save(build_untrained(zoo.resolve("vgg-tiny")).state_dict(), tmp_path / "gray.pth")
    assert load(tmp_path / "gray.pth", preprocess=CAFFE).preprocess == CAFFE.for_input(1, 28)
    model = build_untrained(zoo.resolve("4 M | gap").with_input(3, 8).with_classes(2))
    save(Checkpoint(model, IMAGENET.for_input(3, 8), ("a", "b")), tmp_path / "color.safetensors")
    loaded = load(tmp_path / "color.safetensors", preprocess=CAFFE)
    assert loaded.preprocess == CAFFE.for_input(3, 8) and loaded.model.architecture.input == (3, 8, 8)
    larger = pretrained(None, tmp_path / "color.safetensors", size=16, preprocess=CAFFE).checkpoint
    assert larger.preprocess == CAFFE.for_input(3, 16)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("resnet50-11ad3fa6.pth", "the file name"),
        ("resnet50.tv2_in1k/model.safetensors", "the catalog, as the file of resnet50.tv2_in1k"),
    ],
)
def test_the_v2_resnet_weights_of_torchvision_are_recognized(file, source, tmp_path):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    torch.save(build_untrained(zoo.resolve("resnet50")).state_dict(), tmp_path / file)
    contents = inspect(tmp_path / file)
    assert (contents.network, contents.preprocess.resize) == ("resnet50", 232)
    assert contents.preprocess_source == source


@pytest.mark.parametrize("row", catalog(), ids=lambda row: row.name)
def test_published_weights_have_their_preprocessing_in_the_cache(row, tmp_path):
    files = [tmp_path / row.source.folder / row.file]
    if row.publisher == "timm":
        files.append(tmp_path / f"models--timm--{row.name}" / "snapshots" / "0a1b" / row.file)
    other = Preprocess(size=224, mean=(0.0,) * 3, std=(1.0,) * 3)
    for file in files:
        assert recognized_preprocess(file, torch.zeros(1, 3, 1, 1), other, "any")[0] == row.preprocess


def test_inspect_lists_matched_missing_and_unexpected_keys(vgg, vgg_file, tmp_path):
    contents = inspect(vgg_file)
    assert contents.network is None and contents.problem
    torch.save({"model": build_untrained(zoo.resolve("vgg-tiny")).state_dict()}, tmp_path / "w.pth")
    contents = inspect(tmp_path / "w.pth")
    assert (contents.network, contents.layout, contents.container) == ("vgg-tiny", "torchvision", "model")
    assert (contents.classes, contents.channels, contents.has_head) == (10, 1, True)
    assert len(contents.matched) == 22 and not contents.missing and not contents.unexpected
    assert contents.preprocess == IMAGENET.for_input(1, 28)


def test_imagenet_has_a_thousand_different_class_names():
    names = imagenet_classes()
    assert len(names) == len(set(names)) == 1000
    # ILSVRC 2012, as in Keras's imagenet_class_index.json: these indices are widely known.
    assert (names[0], names[281], names[999]) == ("tench", "tabby", "toilet tissue")


def test_a_thousand_classes_get_the_names_of_imagenet(tmp_path):
    architecture = zoo.resolve("4 M | gap").with_input(3, 8)
    torch.save(build_untrained(architecture).state_dict(), tmp_path / "w.pth")
    assert pretrained(architecture, tmp_path / "w.pth").checkpoint.classes == imagenet_classes()


def test_the_features_of_a_checkpoint_keep_its_preprocessing(tmp_path):
    own = Preprocess(size=8, channels=1, mean=(0.3,), std=(0.2,))
    architecture = zoo.resolve("4 M | gap").with_input(1, 8).with_classes(2)
    save(Checkpoint(build_untrained(architecture), own, ("a", "b")), tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors", features_only=True).preprocess == own
    assert load(tmp_path / "m.safetensors", preprocess=CAFFE_RGB.for_input(1, 8)).preprocess.size == 8
