"""Keras's own VGG16 and VGG19 beside ours: the same weights through its files, the same logits, both ways.

Needs the extra ``parity``. Keras runs on torch, its weights are drawn so that logits are of order 1.
"""

import os

import numpy as np
import pytest
import torch

from verydeep.architecture import zoo
from verydeep.architecture.preprocess import CAFFE
from verydeep.data.normalize import normalize
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weights.export import export_weights
from verydeep.weights.load import load
from verydeep.weights.preprocessing import numbered_classes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
CLOSE = 1e-4
"""Of logits of order 1, in fp32."""


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Keras on torch; its settings stay out of the user's folder."""
    patch = pytest.MonkeyPatch()
    patch.setenv("KERAS_BACKEND", "torch")
    patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
    patch.setenv("ABSL_MIN_LOG_LEVEL", "3")
    keras = pytest.importorskip("keras", reason="needs the extra `parity`")
    assert keras.backend.backend() == "torch", os.environ["KERAS_BACKEND"]
    yield keras
    patch.undo()


def theirs(keras, name, size, *, draw=True, **settings):
    """Keras's network, its kernels drawn after He et al. and its biases not zero."""
    settings = {"classes": 10, "classifier_activation": None} | settings
    network = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), **settings)
    random = np.random.default_rng(0)
    if draw:
        network.set_weights([drawn(random, value.shape) for value in network.get_weights()])
    return network


def drawn(random, shape):
    deviation = 0.1 if len(shape) == 1 else (2 / np.prod(shape[:-1])) ** 0.5
    return random.normal(0, deviation, shape).astype(np.float32)


def difference(ours, keras_network, size, report):
    """The largest difference of logits on images that neither has seen, and the logits' deviation."""
    images = np.random.default_rng(1).normal(size=(2, size, size, 3)).astype(np.float32)
    with torch.no_grad():
        expected = np.asarray(keras_network(images).detach())
        got = ours(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    assert got.shape == expected.shape and expected.std() > 0.1
    report("logits_deviation", round(float(expected.std()), 3))
    largest = float(abs(got - expected).max())
    report("largest_difference", largest)
    return largest


@pytest.mark.parametrize("file", ["w.h5", "w.weights.h5", "w.keras"])
@pytest.mark.parametrize("name", ["VGG16", "VGG19"])
def test_keras_files_give_keras_logits(keras, name, file, tmp_path, record_property):
    network = theirs(keras, name, 64)
    save = network.save_weights if "weights" in file else network.save
    save(tmp_path / file)
    found = load(tmp_path / file)
    assert found.preprocess == CAFFE.for_input(3, 64)
    assert difference(found.model, network, 64, record_property) < CLOSE


def test_the_published_size_and_naming(keras, tmp_path, record_property):
    """VGG16 for 224 px and 1000 classes, in datasets named as in the published file."""
    import h5py

    network = theirs(keras, "VGG16", 224, classes=1000)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for layer in network.layers:
            for value, word in zip(layer.get_weights(), "Wb", strict=False):
                file[f"{layer.name}/{layer.name}_{word}_1:0"] = value
    found = load(tmp_path / "w.h5")
    assert (found.model.architecture.name, found.preprocess) == ("vgg16", CAFFE)
    assert found.classes[0] == "tench"
    assert difference(found.model, network, 224, record_property) < CLOSE


def test_without_its_top(keras, tmp_path, record_property):
    network = theirs(keras, "VGG19", 64, include_top=False)
    network.save_weights(tmp_path / "w.weights.h5")
    found = load(tmp_path / "w.weights.h5")
    assert found.classes == ()
    images = np.random.default_rng(1).normal(size=(1, 64, 64, 3)).astype(np.float32)
    with torch.no_grad():
        expected = np.asarray(network(images).detach()).transpose(0, 3, 1, 2)
        got = found.model.features(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    record_property("largest_difference", float(abs(got - expected).max()))
    assert abs(got - expected).max() < CLOSE and expected.std() > 0.1


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_keras_loads_what_we_write(keras, name, tmp_path, record_property):
    torch.manual_seed(0)
    line = zoo.resolve(name).string.replace("pool7", "pool2")
    model = build(zoo.Architecture.from_string(line, classes=10, input=(3, 64, 64))).eval()
    torch.nn.init.normal_(model.classifier[6].weight, std=0.05)
    written = export_weights(Checkpoint(model, CAFFE, numbered_classes(10)), "keras", tmp_path / "ours.h5")
    network = theirs(keras, name.upper(), 64, draw=False)
    network.load_weights(tmp_path / "ours.h5")
    assert f"keras.applications.{name.upper()}(weights=None, classes=10" in written.how
    assert difference(model, network, 64, record_property) < CLOSE


def test_caffes_preprocessing_is_keras_own(keras):
    pixels = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    images = pixels.permute(0, 2, 3, 1).numpy().astype(np.float32)
    expected = keras.applications.vgg16.preprocess_input(images, data_format="channels_last")
    got = normalize(pixels, CAFFE).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(got, expected, atol=2e-5)
