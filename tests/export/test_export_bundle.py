"""An exported network has the logits of its checkpoint at every size, and all that is needed to use it."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from torch import nn

from verydeep.architecture.preprocess import CAFFE
from verydeep.errors import CheckpointError, ShapeError
from verydeep.export import export_bundle as exporting
from verydeep.export.check_images import CheckImages, GivenImages
from verydeep.export.export_bundle import ExportRequest, export_bundle
from verydeep.export.parity import relative_error
from verydeep.export.to_onnx import set_description
from verydeep.runtime.bundle import KEY, is_bundle, read_bundle
from verydeep.runtime.exported_network import load_exported
from verydeep.runtime.onnx_metadata import onnx_metadata

from .conftest import STRINGS, make_network

pytestmark = pytest.mark.slow
NETWORKS = {name: partial(make_network, name) for name in STRINGS} | {
    "gray": partial(make_network, "gap", channels=1)
}


@pytest.mark.parametrize("name", NETWORKS)
def test_images_of_any_size_have_the_same_logits(tmp_path, name):
    network = NETWORKS[name]()
    exported = export_bundle(network, tmp_path / "x.onnx", ExportRequest(format="onnx"))
    assert exported.parity.relative_error < 1e-5 and exported.parity.agreement == 1
    assert len(exported.parity.sizes) == 3 and any(height != width for height, width in exported.parity.sizes)
    loaded = load_exported(tmp_path / "x.onnx")
    channels = network.preprocess.channels
    pixels = np.random.default_rng(0).integers(0, 256, (5, channels, 24, 24), dtype=np.uint8)
    np.testing.assert_allclose(loaded.logits(pixels), network.logits(pixels), rtol=1e-4, atol=1e-5)


def test_the_bundle_has_everything(tmp_path):
    network = NETWORKS["gap"]()
    exported = export_bundle(network, tmp_path / "x.onnx", ExportRequest(format="onnx", size=24))
    assert is_bundle(tmp_path / "x.onnx") and [each.name for each in tmp_path.iterdir()] == ["x.onnx"]
    bundle = read_bundle(tmp_path / "x.onnx")
    assert bundle.description == network.description
    assert bundle.export.parity == exported.parity.values and exported.parity.images == 16
    assert {name: exported.values[name] for name in ("format", "precision", "size")} == {
        "format": bundle.export.format, "precision": bundle.export.precision, "size": bundle.export.size
    }  # fmt: skip
    assert bundle.export.outputs == exported.outputs
    assert bundle.architecture.string == "8 M 16 M | gap"
    assert json.loads(json.dumps(exported.values))["size"] == 24


def test_class_maps_give_the_logits(tmp_path):  # Zhou et al. 2016, eq. 2
    network = NETWORKS["gap"]()
    export_bundle(network, tmp_path / "x.onnx", ExportRequest(format="onnx"))
    loaded = load_exported(tmp_path / "x.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 24, 24), dtype=np.uint8)
    bias = network.model.get_submodule("classifier.0").bias.detach().numpy()
    (maps,) = loaded.outputs(pixels, "class_maps")
    np.testing.assert_allclose(maps.mean((2, 3)) + bias, loaded.logits(pixels), atol=1e-5)
    assert loaded.embedding(pixels).shape == (2, 16)


def test_a_hidden_layer_has_no_class_maps(tmp_path):
    export_bundle(NETWORKS["pool"](), tmp_path / "x.onnx", ExportRequest(format="onnx", size=24))
    with pytest.raises(CheckpointError, match="has no output class_maps; it has logits, embedding"):
        load_exported(tmp_path / "x.onnx").outputs(np.zeros((1, 3, 24, 24), dtype=np.uint8), "class_maps")


def test_another_size_keeps_the_proportion_of_the_crop(tmp_path):
    export_bundle(NETWORKS["gap"](), tmp_path / "x.onnx", ExportRequest(format="onnx", size=48))
    preprocess = read_bundle(tmp_path / "x.onnx").preprocess
    assert (preprocess.size, preprocess.resize) == (48, 56)


def test_a_size_that_is_too_small_is_refused(tmp_path):
    with pytest.raises(ShapeError, match="needs at least 4 x 4 px"):
        export_bundle(NETWORKS["gap"](), tmp_path / "x.onnx", ExportRequest(format="onnx", size=3))
    assert not list(tmp_path.iterdir())


def test_a_bgr_network_is_given_its_order(tmp_path):
    network = replace(NETWORKS["gap"](), preprocess=replace(CAFFE, size=24, resize=24))
    exported = export_bundle(network, tmp_path / "x.onnx", ExportRequest(format="onnx", size=24))
    assert exported.parity.relative_error < 1e-5


def test_accuracy_is_measured_where_there_are_labels(tmp_path):
    network = NETWORKS["gap"]()
    pixels = np.random.default_rng(0).integers(0, 256, (9, 3, 24, 24), dtype=np.uint8)
    predicted = network.logits(pixels).argmax(1)
    labels = np.where(np.arange(9) < 3, (predicted + 1) % 3, predicted)
    images = CheckImages(pixels, labels, "9 images")
    request = ExportRequest(format="onnx", size=24)
    parity = export_bundle(network, tmp_path / "x.onnx", request, GivenImages(images, images)).parity
    assert parity.accuracy_before == parity.accuracy_after == pytest.approx(6 / 9)


def test_a_network_that_disagrees_is_not_written(tmp_path, monkeypatch):
    other = NETWORKS["gap"]()
    nn.init.normal_(other.model.get_submodule("classifier.0").weight)
    wrong = exporting.ExportGraph(other.model)
    monkeypatch.setattr(exporting, "ExportGraph", lambda model: wrong)
    with pytest.raises(CheckpointError, match=r"disagrees with .* on 16 drawn shapes.* --allow-loss"):
        export_bundle(NETWORKS["gap"](), tmp_path / "x.onnx", ExportRequest(format="onnx", size=24))
    assert not list(tmp_path.iterdir())
    request = ExportRequest(format="onnx", size=24, allow_loss=True)
    assert not export_bundle(NETWORKS["gap"](), tmp_path / "x.onnx", request).parity.is_accepted


def test_a_precision_that_the_format_does_not_have_is_refused(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"onnx has no bf16. What there is: onnx: fp32, int8; openvino: "
    ):
        export_bundle(NETWORKS["gap"](), tmp_path / "x.onnx", ExportRequest(format="onnx", precision="bf16"))


def test_logits_that_are_not_finite_never_agree():
    good = np.ones((1, 2), dtype=np.float32)
    assert relative_error(good, np.array([[1, np.nan]], dtype=np.float32)) == float("inf")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("export"), "is broken: KeyError"),
        (lambda values: values["export"].update(precision="fp8"), "wrong export: precision"),
        (lambda values: values.update(classes=3), "cannot read: classes"),
        (lambda values: values["architecture"].update(string="8 Q | gap"), "cannot be built: .*'Q'"),
        (lambda values: values["preprocess"].update(size=0), "cannot be built: size is 0"),
    ],
)
def test_a_broken_description_is_one_line(tmp_path, change, message):
    file = tmp_path / "x.onnx"
    export_bundle(NETWORKS["gray"](), file, ExportRequest(format="onnx", size=24))
    values = json.loads(onnx_metadata(file)[KEY])
    change(values)
    set_description(file, json.dumps(values))
    with pytest.raises(CheckpointError, match=message):
        read_bundle(file)
