"""Photographs of blood cells have the same classes in every runtime and precision, pair by pair."""

from itertools import combinations

import pytest

from verydeep.cli.main import main
from verydeep.image_sources.find_images import find_images
from verydeep.prediction.predict import predict
from verydeep.runtime.exported_network import RUNTIMES_OF, load_exported
from verydeep.weights.load import load_classifier

KEPT = 30
"""Photographs of each class."""
BUNDLES = {
    "onnx-fp32": ("onnx",),
    "onnx-int8": ("onnx", "--int8", "CELLS", "--allow-loss"),
    "openvino-fp32": ("openvino",),
    "openvino-bf16": ("openvino", "--bf16"),
    "openvino-int8": ("openvino", "--int8", "CELLS", "--allow-loss"),
    "ncnn-fp32": ("ncnn", "--size", "64"),
    "ncnn-bf16": ("ncnn", "--size", "64", "--bf16"),
}
LARGEST_DIFFERENCE = {"fp32": 1e-4, "bf16": 0.05, "int8": 0.2}
"""Of a probability, between torch and a runtime in this precision."""


@pytest.fixture(scope="module")
def cells(cell_photographs, tmp_path_factory):
    """Some photographs of each class."""
    folder = tmp_path_factory.mktemp("cells")
    for kind in ("platelet", "red-blood-cell", "white-blood-cell"):
        files = sorted((cell_photographs / kind).iterdir())
        (folder / kind).mkdir()
        for file in files[:: len(files) // KEPT][:KEPT]:
            (folder / kind / file.name).symlink_to(file)
    return folder


@pytest.fixture(scope="module")
def networks(cells, real_features, tmp_path_factory):
    """VGG16 with a linear probe, in torch and in every format, precision and runtime."""
    folder = tmp_path_factory.mktemp("networks")
    run = folder / "run"
    assert main(["tune", str(cells), "--weights", str(real_features), "--size", "64", "--strategy",
                 "linear-probe", "--head", "gap", "--out", str(run)]) == 0  # fmt: skip
    found = {"torch fp32": load_classifier(run)}
    for name, (format_, *flags) in BUNDLES.items():
        path = folder / (f"{name}.onnx" if format_ == "onnx" else name)
        given = [str(cells) if flag == "CELLS" else flag for flag in flags]
        assert main(["export", str(run), "--to", format_, *given, "--out", str(path)]) == 0
        for runtime in RUNTIMES_OF[format_]:
            found[f"{runtime} {path.name}"] = load_exported(path, runtime, threads=1)
    return found


@pytest.mark.slow
def test_photographs_have_the_same_classes_in_each_pair(networks, cells):
    sources = find_images([str(cells)]).sources
    predictions = {
        name: [each for batch in predict(network, sources) for each in batch]
        for name, network in networks.items()
    }
    assert len(predictions) == 10 and all(len(each) == 3 * KEPT for each in predictions.values())
    for first, second in combinations(predictions, 2):
        pairs = list(zip(predictions[first], predictions[second], strict=True))
        same = sum(one.label == other.label for one, other in pairs) / len(pairs)
        assert same >= (0.97 if "int8" in first + second else 1), (first, second)
    for name, own in predictions.items():
        precision = next(each for each in LARGEST_DIFFERENCE if each in name)
        for one, other in zip(predictions["torch fp32"], own, strict=True):
            assert one.values["probabilities"] == pytest.approx(
                other.values["probabilities"], abs=LARGEST_DIFFERENCE[precision]
            ), name
