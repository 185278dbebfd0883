"""FeatureExtractor in a second runtime: exported by torch.onnx, run by ONNX Runtime (extra `parity`)."""

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

pytestmark = [  # the exporter warns of what changes inside torch
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def in_the_second_runtime(tapped, images, path):
    """The values at the names of ``tapped``, computed by ONNX Runtime."""
    torch.onnx.export(
        tapped.eval(), (images,), path, dynamo=True, input_names=["images"], output_names=list(tapped.names),
        verbose=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    values = session.run(list(tapped.names), {"images": images.numpy()})
    return {name: torch.from_numpy(value) for name, value in zip(tapped.names, values, strict=True)}


def relative_difference(ours, theirs):
    """The greatest difference, as a part of the greatest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "settings", "names"),
    [
        ("8x2 L M 12 M | pool2 6", {}, ["conv1_2", "relu1_2", "norm1", "pool2", "fc3", "relu3"]),
        ("8 M 12x2 M | gap", {"norm": "batch-after-pool"}, ["conv1_1", "pool1", "bn1_1", "relu2_1"]),
        ("8k7s2 (8 8) (12s2 12) | gap", {"norm": "batch"}, ["bn2_1_1", "conv2_1", "add3_1", "conv3_1", "fc"]),
    ],
)
def test_taps_of_each_family_agree(line, settings, names, tmp_path):
    torch.manual_seed(0)
    model = build(Architecture.from_string(line, input=(3, 16, 16), classes=4, **settings)).eval()
    tapped, images = taps(model, names), torch.rand(2, 3, 16, 16)
    theirs = in_the_second_runtime(tapped, images, tmp_path / "taps.onnx")
    with torch.no_grad():
        for name, ours in tapped(images).items():
            assert relative_difference(ours, theirs[name]) < 1e-5, name


@pytest.mark.slow
def test_vgg16_on_a_photograph(real_features, cell_photographs, tmp_path):
    network = load(real_features)
    photograph = min((cell_photographs / "white-blood-cell").glob("*.jpg"))
    images = normalize(decode(photograph, network.preprocess)[None], network.preprocess)
    tapped = taps(network.model, ["conv1_2", "relu3_3", "conv4_2", "pool5"])
    with torch.no_grad():
        ours = tapped(images)
    theirs = in_the_second_runtime(tapped, images, tmp_path / "vgg16.onnx")
    for name, value in ours.items():
        assert relative_difference(value, theirs[name]) < 1e-5, name
    assert (ours["conv1_2"] < 0).any() and (ours["relu3_3"] >= 0).all()
