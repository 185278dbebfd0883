"""Parity with the VGG16 and VGG19 of Keras: equal logits from the same weight file, in both directions.

Needs the extra ``parity``. Keras runs on torch; its random weights give logits of order 1.
"""

import os
from functools import cache

import numpy as np
import pytest
import torch

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import CAFFE
from verydeep.data.normalize import normalize
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weights.class_names import numbered_classes
from verydeep.weights.export import export_weights
from verydeep.weights.load import load

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
TOLERANCE = 1e-4
"""For logits of order 1, in fp32."""


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Keras on torch, with its settings in a temporary folder."""
    patch = pytest.MonkeyPatch()
    patch.setenv("KERAS_BACKEND", "torch")
    patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
    patch.setenv("ABSL_MIN_LOG_LEVEL", "3")
    keras = pytest.importorskip("keras", reason="needs the extra `parity`")
    assert keras.backend.backend() == "torch", os.environ["KERAS_BACKEND"]
    yield keras
    patch.undo()
    shared_network.cache_clear()


def keras_network(keras, name, size, **settings):
    """A network of Keras, with kernels initialized after He et al. and biases that are not zero."""
    settings = {"classes": 10, "classifier_activation": None} | settings
    network = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), **settings)
    random = np.random.default_rng(0)
    network.set_weights([random_values(random, value.shape) for value in network.get_weights()])
    return network


@cache
def shared_network(keras, name, **settings):
    """A network for 64 px that several tests save, or build on; each is made once."""
    return keras_network(keras, name, 64, **settings)


def random_values(random, shape):
    deviation = 0.1 if len(shape) == 1 else (2 / np.prod(shape[:-1])) ** 0.5
    return np.float32(deviation) * random.standard_normal(shape, dtype=np.float32)


def difference(model, network, size, report):
    """The largest difference of the logits on random images; their standard deviation is reported too."""
    images = np.random.default_rng(1).normal(size=(2, size, size, 3)).astype(np.float32)
    with torch.no_grad():
        expected = np.asarray(network(images, training=False).detach())
        got = model(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    assert got.shape == expected.shape and expected.std() > 0.1
    report("logits_deviation", round(float(expected.std()), 3))
    largest = float(abs(got - expected).max())
    report("largest_difference", largest)
    return largest


@pytest.mark.parametrize("file", ["w.h5", "w.weights.h5", "w.keras"])
@pytest.mark.parametrize("name", ["VGG16", "VGG19"])
def test_a_keras_file_gives_the_logits_of_keras(keras, name, file, tmp_path, record_property):
    network = shared_network(keras, name)
    save = network.save_weights if "weights" in file else network.save
    save(tmp_path / file)
    loaded = load(tmp_path / file)
    assert loaded.preprocess == CAFFE.for_input(3, 64)
    assert difference(loaded.model, network, 64, record_property) < TOLERANCE


def test_a_file_with_the_size_and_names_of_the_published_one(keras, tmp_path, record_property):
    """VGG16 for 224 px and 1000 classes, with the dataset names of the published file."""
    import h5py

    network = keras_network(keras, "VGG16", 224, classes=1000)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for layer in network.layers:
            for value, suffix in zip(layer.get_weights(), "Wb", strict=False):
                file[f"{layer.name}/{layer.name}_{suffix}_1:0"] = value
    loaded = load(tmp_path / "w.h5")
    assert (loaded.model.architecture.name, loaded.preprocess) == ("vgg16", CAFFE)
    assert loaded.classes[0] == "tench"
    assert difference(loaded.model, network, 224, record_property) < TOLERANCE


def test_a_keras_file_without_top_gives_the_same_maps(keras, tmp_path, record_property):
    network = keras_network(keras, "VGG19", 64, include_top=False)
    network.save_weights(tmp_path / "w.weights.h5")
    loaded = load(tmp_path / "w.weights.h5")
    assert loaded.classes == ()
    images = np.random.default_rng(1).normal(size=(1, 64, 64, 3)).astype(np.float32)
    with torch.no_grad():
        expected = np.asarray(network(images, training=False).detach()).transpose(0, 3, 1, 2)
        got = loaded.model.features(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    record_property("largest_difference", float(abs(got - expected).max()))
    assert abs(got - expected).max() < TOLERANCE and expected.std() > 0.1


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_keras_loads_an_exported_file(keras, name, tmp_path, record_property):
    torch.manual_seed(0)
    string = zoo.resolve(name).string.replace("pool7", "pool2")
    model = build(zoo.Architecture.from_string(string, classes=10, input=(3, 64, 64))).eval()
    torch.nn.init.normal_(model.classifier[6].weight, std=0.05)
    exported = export_weights(
        Checkpoint(model, CAFFE, numbered_classes(10)), "keras", tmp_path / "exported.h5"
    )
    names = {}
    exec(exported.load_code, names)
    assert difference(model, names["model"], 64, record_property) < TOLERANCE


def test_the_caffe_preprocessing_equals_that_of_keras(keras):
    pixels = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    images = pixels.permute(0, 2, 3, 1).numpy().astype(np.float32)
    expected = keras.applications.vgg16.preprocess_input(images, data_format="channels_last")
    got = normalize(pixels, CAFFE).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(got, expected, atol=2e-5)


@pytest.mark.parametrize("layers", ["64x2 M 128x2 M 256x3 M 512x3", "64x2 M 128x2 M 256x3 M 512x3 M 512x3 M"])
def test_a_tuned_network_is_rebuilt_in_keras_by_the_printed_code(keras, layers, tmp_path):
    """VGG16 up to relu4_3 or to its end, global average pooling, three classes."""
    torch.manual_seed(0)
    architecture = Architecture.from_string(f"{layers} | gap", input=(3, 32, 32), classes=3)
    preprocess = CAFFE.for_input(3, 32)
    network = Checkpoint(build(architecture).eval(), preprocess, ("a", "b", "c"))
    exported = export_weights(network, "keras", tmp_path / "tuned.h5")
    names = {"keras": keras}
    exec(exported.load_code, names)
    images = np.random.default_rng(1).normal(size=(2, 32, 32, 3)).astype(np.float32)
    with torch.no_grad():
        ours = network.model(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    theirs = np.asarray(names["model"].predict(images, verbose=0))
    assert np.abs(ours - theirs).max() < TOLERANCE * max(1, np.abs(ours).std())


def transfer_learning_head(keras, head):
    layers = keras.layers
    return {
        "gap": [layers.GlobalAveragePooling2D(), layers.Dense(5)],
        "gap 24": [
            layers.GlobalAveragePooling2D(),
            layers.Dense(24, "relu"),
            layers.Dropout(0.5),
            layers.Dense(5),
        ],
        "pool2 24": [layers.Flatten(), layers.Dense(24, "relu"), layers.Dense(5)],
    }[head]


@pytest.mark.parametrize("file", ["w.h5", "w.weights.h5", "w.keras"])
@pytest.mark.parametrize(("head", "nested"), [("gap", True), ("gap 24", False), ("pool2 24", True)])
def test_a_head_of_transfer_learning_gives_the_logits_of_keras(
    keras, head, nested, file, tmp_path, record_property
):
    trunk = shared_network(keras, "VGG16", include_top=False)
    images = keras.Input((64, 64, 3)) if nested else trunk.input
    values = trunk(keras.layers.RandomFlip()(images)) if nested else trunk.output  # flips in training only
    for layer in transfer_learning_head(keras, head):
        values = layer(values)
    network = keras.Model(images, values)
    save = network.save_weights if "weights" in file else network.save
    save(tmp_path / file)
    loaded = load(tmp_path / file)
    assert loaded.model.architecture.string.endswith(f"| {head}") and len(loaded.classes) == 5
    logits = difference(loaded.model, network, 64, record_property)
    assert logits < TOLERANCE
