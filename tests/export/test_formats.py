"""The same images have the same classes and probabilities in every runtime; the rest is refused."""

import shutil
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from verydeep.errors import CheckpointError
from verydeep.export import to_ncnn, writers
from verydeep.export.export_bundle import ExportRequest, export_bundle
from verydeep.export.targets import PRECISIONS
from verydeep.image_sources.find_images import find_images
from verydeep.prediction.predict import predict
from verydeep.runtime.bundle import read_bundle
from verydeep.runtime.exported_network import RUNTIMES_OF, load_exported

from .networks import NETWORKS, SIZE, drawings

pytestmark = pytest.mark.slow


def bundle_path(folder, format_):
    return folder / ("x.onnx" if format_ == "onnx" else format_)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Image files whose sides are not those of the network, in color, gray and with a palette."""
    folder = tmp_path_factory.mktemp("photographs")
    for number, mode in enumerate(["RGB", "L", "P", "RGB", "CMYK"]):
        noise = np.random.default_rng(number).integers(256, size=(5, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(noise).resize((40 + number, 30), Image.Resampling.BICUBIC)
        picture.convert(mode).save(folder / f"{number}.{'gif' if mode == 'P' else 'jpg'}")
    return folder


@pytest.mark.parametrize(("name", "channels"), [("gap", 3), ("gap", 1), ("pool", 3), ("residual", 3)])
def test_photographs_have_the_same_probabilities_in_every_runtime(tmp_path, photographs, name, channels):
    checkpoint = NETWORKS[name](channels)
    networks = {"torch": checkpoint}
    for format_ in RUNTIMES_OF:
        path = bundle_path(tmp_path, format_)
        export_bundle(checkpoint, path, ExportRequest(format=format_, size=SIZE))
        networks |= {
            f"{format_} in {runtime}": load_exported(path, runtime, threads=1)
            for runtime in RUNTIMES_OF[format_]
        }
    sources = find_images([str(photographs)]).sources
    predictions = {
        runtime: [each for batch in predict(network, sources) for each in batch]
        for runtime, network in networks.items()
    }
    assert len(predictions) == 5
    for first, second in combinations(predictions, 2):
        for one, other in zip(predictions[first], predictions[second], strict=True):
            assert one.label == other.label, (first, second)
            assert one.values["probabilities"] == pytest.approx(other.values["probabilities"], abs=1e-5)


@pytest.mark.parametrize("format_", ["openvino", "ncnn"])
def test_bf16_is_within_its_precision_in_half_the_bytes(tmp_path, format_):
    checkpoint, images = NETWORKS["gap"](3), drawings(3)
    request = ExportRequest(format=format_, precision="bf16", size=SIZE)
    half = export_bundle(checkpoint, tmp_path / "half", request, images)
    full = export_bundle(checkpoint, tmp_path / "full", ExportRequest(format=format_, size=SIZE), images)
    assert half.parity.relative_error < 0.05 and half.parity.accuracy_after is not None
    weights = [
        sum(file.stat().st_size for file in (tmp_path / name).glob("*.bin")) for name in ("half", "full")
    ]
    assert weights[0] < 0.6 * weights[1]
    assert full.parity.relative_error < 1e-5


@pytest.mark.parametrize("format_", ["onnx", "openvino"])
@pytest.mark.parametrize("name", ["gap", "residual"])
def test_int8_is_calibrated_on_images_and_quiet(tmp_path, monkeypatch, capfd, format_, name):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    path = bundle_path(tmp_path, format_)
    request = ExportRequest(format=format_, precision="int8", size=SIZE)
    exported = export_bundle(NETWORKS[name](3), path, request, drawings(3))
    assert 1e-4 < exported.parity.relative_error <= 0.05 and exported.parity.agreement == 1
    assert read_bundle(path).export.precision == "int8"
    assert capfd.readouterr() == ("", "") and not list(here.iterdir())
    pixels = drawings(3).check.pixels
    logits = [load_exported(path, runtime).logits(pixels) for runtime in RUNTIMES_OF[format_]]
    np.testing.assert_allclose(logits[0], logits[-1], atol=0.05 * np.abs(logits[0]).max())


@pytest.mark.parametrize("format_", ["onnx", "openvino"])
def test_int8_of_any_size(tmp_path, format_):
    path = bundle_path(tmp_path, format_)
    request = ExportRequest(format=format_, precision="int8")
    parity = export_bundle(NETWORKS["gap"](3), path, request, drawings(3)).parity
    assert len(parity.sizes) == 3 and 1e-4 < parity.relative_error <= 0.05


def test_int8_that_misses_is_refused_with_its_figures(tmp_path):
    request = ExportRequest(format="onnx", precision="int8", size=SIZE)
    with pytest.raises(
        CheckpointError, match=r"logits 0\.\d+ \(at most 0\.05\).* before and .* after\. Nothing"
    ):
        export_bundle(NETWORKS["pool"](3), tmp_path / "x.onnx", request, drawings(3))
    assert not list(tmp_path.iterdir())


def test_int8_without_images_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="calibrated on your own images"):
        export_bundle(NETWORKS["gap"](3), tmp_path / "x", ExportRequest(format="openvino", precision="int8"))
    assert not list(tmp_path.iterdir())


def test_openvino_takes_images_of_any_size(tmp_path):
    exported = export_bundle(NETWORKS["pool"](3), tmp_path / "x", ExportRequest(format="openvino"))
    assert len(exported.parity.sizes) == 3 and exported.parity.relative_error < 1e-5
    assert sorted(file.name for file in (tmp_path / "x").iterdir()) == [
        "model.bin",
        "model.xml",
        "verydeep.json",
    ]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ExportRequest(format="ncnn"), "ncnn takes images of one size"),
        (
            ExportRequest(format="ncnn", precision="int8", size=SIZE),
            "ncnn has no int8. What there is: onnx: ",
        ),
    ],
)
def test_what_ncnn_cannot_do_is_refused(tmp_path, request_, message):
    with pytest.raises(CheckpointError, match=message):
        export_bundle(NETWORKS["gap"](3), tmp_path / "x", request_, drawings(3))
    assert not list(tmp_path.iterdir())


def test_any_name_will_do(tmp_path):
    for name, format_ in (("pnnx", "ncnn"), ("network.onnx", "openvino")):
        export_bundle(NETWORKS["gap"](3), tmp_path / name, ExportRequest(format=format_, size=SIZE))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.onnx", "pnnx"]


def test_a_converter_that_fails_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(to_ncnn, "_pnnx", lambda: shutil.which("false"))
    with pytest.raises(CheckpointError, match=r"^pnnx cannot convert this network \(exit code 1\)"):
        export_bundle(NETWORKS["gap"](3), tmp_path / "x", ExportRequest(format="ncnn", size=SIZE))
    assert not list(tmp_path.iterdir())


def test_each_precision_of_a_format_has_a_writer():
    written = {format_: tuple(each) for format_, each in writers._WRITERS.items()}
    assert written == {format_: PRECISIONS[format_] for format_ in RUNTIMES_OF}
    assert PRECISIONS["web"] == PRECISIONS["onnx"]  # the page has an ONNX file
