"""The feature extractor in a second runtime: exported by torch.onnx, run by ONNX Runtime (extra `parity`)."""

import pytest
import torch

from verydeep.architecture.architecture import Architecture
from verydeep.data.decode import decode
from verydeep.data.normalize import normalize
from verydeep.models.build import build
from verydeep.models.feature_extractor import taps
from verydeep.weights.load import load

for library in ("onnx", "onnxscript"):
    pytest.importorskip(library, reason="needs the extra `parity`")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra `parity`")

pytestmark = [  # the exporter warns of changes inside torch
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def in_onnx_runtime(extractor, images, path):
    """The features of ``extractor``, computed by ONNX Runtime."""
    names = list(extractor.names)
    torch.onnx.export(
        extractor.eval(), (images,), path, dynamo=True, input_names=["images"], output_names=names,
        verbose=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    values = session.run(names, {"images": images.numpy()})
    return {name: torch.from_numpy(value) for name, value in zip(names, values, strict=True)}


def relative_difference(values, reference):
    """The maximum difference, relative to the maximum value."""
    return float((values - reference).abs().max() / reference.abs().max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("string", "settings", "names"),
    [
        ("8x2 L M 12 M | pool2 6", {}, ["conv1_2", "relu1_2", "norm1", "pool2", "fc3", "relu3"]),
        ("8 M 12x2 M | gap", {"norm": "batch-after-pool"}, ["conv1_1", "pool1", "bn1_1", "relu2_1"]),
        ("8k7s2 (8 8) (12s2 12) | gap", {"norm": "batch"}, ["bn2_1_1", "conv2_1", "add3_1", "conv3_1", "fc"]),
    ],
)
def test_features_of_each_family_agree(string, settings, names, tmp_path):
    torch.manual_seed(0)
    model = build(Architecture.from_string(string, input=(3, 16, 16), classes=4, **settings)).eval()
    extractor, images = taps(model, names), torch.rand(2, 3, 16, 16)
    reference = in_onnx_runtime(extractor, images, tmp_path / "features.onnx")
    with torch.no_grad():
        for name, value in extractor(images).items():
            assert relative_difference(value, reference[name]) < 1e-5, name


@pytest.mark.slow
def test_vgg16_on_a_photograph(real_features, cell_photographs, tmp_path):
    network = load(real_features)
    photograph = min((cell_photographs / "white-blood-cell").glob("*.jpg"))
    images = normalize(decode(photograph, network.preprocess)[None], network.preprocess)
    extractor = taps(network.model, ["conv1_2", "relu3_3", "conv4_2", "pool5"])
    with torch.no_grad():
        values = extractor(images)
    reference = in_onnx_runtime(extractor, images, tmp_path / "vgg16.onnx")
    for name, value in values.items():
        assert relative_difference(value, reference[name]) < 1e-5, name
    assert (values["conv1_2"] < 0).any() and (values["relu3_3"] >= 0).all()
