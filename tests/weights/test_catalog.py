"""The catalog has the values that torchvision, Keras and timm state in their sources."""

import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.preprocess import CAFFE, IMAGENET, Preprocess
from verydeep.errors import CheckpointError
from verydeep.weights.catalog import catalog, find_published, is_published

ROWS = {row.name: row for row in catalog()}

# torchvision 0.29.2, models/{vgg,alexnet,resnet}.py: URL, _file_size, acc@1, acc@5
TORCHVISION = """
vgg11.imagenet1k_v1        vgg11-8a719046.pth                   506.840 69.020 88.628
vgg13.imagenet1k_v1        vgg13-19584684.pth                   507.545 69.928 89.246
vgg16.imagenet1k_v1        vgg16-397923af.pth                   527.796 71.592 90.382
vgg16.imagenet1k_features  vgg16_features-amdegroot-88682ab5.pth 527.802 nan nan
vgg19.imagenet1k_v1        vgg19-dcbb9e9d.pth                   548.051 72.376 90.876
vgg11_bn.imagenet1k_v1     vgg11_bn-6002323d.pth                506.881 70.370 89.810
vgg13_bn.imagenet1k_v1     vgg13_bn-abd245e5.pth                507.590 71.586 90.374
vgg16_bn.imagenet1k_v1     vgg16_bn-6c64b313.pth                527.866 73.360 91.516
vgg19_bn.imagenet1k_v1     vgg19_bn-c79401a0.pth                548.143 74.218 91.842
alexnet.imagenet1k_v1      alexnet-owt-7be5be79.pth             233.087 56.522 79.066
resnet18.imagenet1k_v1     resnet18-f37072fd.pth                 44.661 69.758 89.078
resnet34.imagenet1k_v1     resnet34-b627a593.pth                 83.275 73.314 91.420
resnet50.imagenet1k_v1     resnet50-0676ba61.pth                 97.781 76.130 92.862
resnet50.imagenet1k_v2     resnet50-11ad3fa6.pth                 97.790 80.858 95.434
resnet101.imagenet1k_v1    resnet101-63fe2227.pth               170.511 77.374 93.546
resnet101.imagenet1k_v2    resnet101-cd907fc2.pth               170.530 81.886 95.780
resnet152.imagenet1k_v1    resnet152-394f9c45.pth               230.434 78.312 94.046
resnet152.imagenet1k_v2    resnet152-f82ba261.pth               230.474 82.284 96.002
"""

# keras 3.15.1, applications/vgg16.py and vgg19.py: file_hash; keras-applications 1.0.8 has the same.
KERAS = {
    "vgg16_weights_tf_dim_ordering_tf_kernels.h5": "64373286793e3c8b2b4e3219cbf3544b",
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5": "6d6bbae143d832006294945121d1f1fc",
    "vgg19_weights_tf_dim_ordering_tf_kernels.h5": "cbe5617147190e668d6c5d5026f83318",
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5": "253f8cb515780f3b799900260a226db6",
}


def of(publisher):
    return [row for row in ROWS.values() if row.publisher == publisher]


@pytest.mark.parametrize("line", TORCHVISION.strip().splitlines())
def test_rows_of_torchvision(line):
    name, file, mib, top1, top5 = line.split()
    row = ROWS[name]
    assert row.addresses == (f"https://download.pytorch.org/models/{file}",)
    assert round(row.checksum.size / 2**20, 3) == float(mib)
    if top1 == "nan":
        assert (row.top1, row.top5) == (None, None)
    else:
        assert (row.top1, row.top5) == (pytest.approx(float(top1) / 100), pytest.approx(float(top5) / 100))


def test_all_rows_of_torchvision_are_checked():
    assert [line.split()[0] for line in TORCHVISION.strip().splitlines()] == [
        row.name for row in of("torchvision")
    ]


def test_a_torchvision_hash_starts_with_the_digits_of_its_file():  # torch.hub's HASH_REGEX, -([a-f0-9]*)\.
    for row in of("torchvision"):
        digits = row.file.rsplit("-", 1)[1].removesuffix(".pth")
        assert row.checksum.digest.startswith(f"sha256:{digits}")
        assert len(row.checksum.digest) in (len("sha256:") + 8, len("sha256:") + 64)


def test_a_file_is_slightly_larger_than_its_parameters():
    for row in ROWS.values():
        if row.checksum.size:
            layers = trace(zoo.resolve(row.architecture)).layers
            in_file = [layer for layer in layers if layer.kind != "fc" or "notop" not in row.file]
            parameters = 4 * sum(layer.parameters for layer in in_file)
            assert parameters < row.checksum.size < 1.01 * parameters + 200_000, row.name


def test_rows_of_keras():
    assert {row.file: row.checksum.digest for row in of("keras")} == {
        file: f"md5:{digest}" for file, digest in KERAS.items()
    }
    for row in of("keras"):
        first, second = row.addresses
        assert (
            first
            == f"https://storage.googleapis.com/tensorflow/keras-applications/{row.architecture}/{row.file}"
        )
        assert second == f"https://github.com/fchollet/deep-learning-models/releases/download/v0.1/{row.file}"
        assert row.preprocess == CAFFE
        assert row.features_only == ("notop" in row.file)
    # README of keras-applications: errors of 28.732, 9.950 and 28.744, 10.012
    assert ROWS["vgg16.keras"].top1 == pytest.approx(1 - 0.28732)
    assert ROWS["vgg19.keras"].top5 == pytest.approx(1 - 0.10012)


def test_rows_of_timm():  # timm 1.0.31, models/vgg.py and models/resnet.py: the tags, hub id and license
    vggs = {f"vgg{depth}{norm}.tv_in1k" for depth in (11, 13, 16, 19) for norm in ("", "_bn")}
    resnets = {f"resnet{depth}.tv_in1k" for depth in (18, 34, 50, 101, 152)}
    newer = {f"resnet{depth}.tv2_in1k" for depth in (50, 101, 152)}
    assert {row.name for row in of("timm")} == vggs | resnets | newer
    for row in of("timm"):
        assert row.addresses == (f"https://huggingface.co/timm/{row.name}/resolve/main/model.safetensors",)
        assert row.license == "BSD-3-Clause"
        assert row.preprocess.resize == (232 if row.name in newer else 256)  # crop_pct 0.965 and 0.875


def test_timm_measured_nearly_the_accuracy_of_torchvision():  # within 0.05 points: other resize and machine
    for row in of("timm"):
        if row.top1:
            assert abs(row.top1 - ROWS[f"{row.architecture}.imagenet1k_v1"].top1) < 0.0005


def test_the_preprocessing_of_rows():
    assert ROWS["vgg16.imagenet1k_v1"].preprocess == IMAGENET
    assert ROWS["resnet50.imagenet1k_v2"].preprocess == Preprocess(
        size=224, resize=232, mean=IMAGENET.mean, std=IMAGENET.std
    )
    features = ROWS["vgg16.imagenet1k_features"]
    assert features.preprocess.mean == (0.48235, 0.45882, 0.40784)
    assert features.preprocess.std == (1 / 255,) * 3
    assert features.features_only and "meaningless values" in features.note


def test_every_row_is_in_the_zoo_and_has_its_own_folder():
    assert len(ROWS) == len(catalog()) == 18 + 4 + 16
    for row in ROWS.values():
        assert zoo.resolve(row.architecture).name == row.architecture
        assert row.name.partition(".")[2]
        for address in row.addresses:
            assert urlsplit(address).scheme == "https" and address.endswith(f"/{row.file}")
        assert row.source.folder == f"weights/{row.name}"
        assert row.source.addresses == tuple(address[: -len(row.file)] for address in row.addresses)


def test_an_architecture_selects_the_default_of_torchvision():
    defaults = {row.architecture: row.name for row in ROWS.values() if row.is_default}
    assert list(defaults) == [row.architecture for row in of("torchvision") if row.name.endswith("_v1")]
    for architecture, name in defaults.items():
        newest = "v2" if architecture in ("resnet50", "resnet101", "resnet152") else "v1"
        assert name == f"{architecture}.imagenet1k_{newest}"
        assert find_published(architecture).name == name


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("vgg16", "vgg16.imagenet1k_v1"), ("D", "vgg16.imagenet1k_v1"),
        ("VGG16_bn", "vgg16_bn.imagenet1k_v1"),
        ("vgg16.keras_notop", "vgg16.keras_notop"), ("timm/vgg16.tv_in1k", "vgg16.tv_in1k"),
        ("hf-hub:timm/resnet50.tv2_in1k", "resnet50.tv2_in1k"),
        ("VGG16_BN_Weights.IMAGENET1K_V1", "vgg16_bn.imagenet1k_v1"),
        ("VGG16_Weights.IMAGENET1K_FEATURES", "vgg16.imagenet1k_features"),
        ("ResNet50_Weights.IMAGENET1K_V1", "resnet50.imagenet1k_v1"),
        ("vgg19-dcbb9e9d.pth", "vgg19.imagenet1k_v1"),
    ],
)  # fmt: skip
def test_spellings_of_a_name(spelling, expected):
    assert find_published(spelling).name == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vgg16.kears", "Did you mean vgg16.keras or"), ("vgg15", "Did you mean vgg1"),
        ("zebra", r"'zebra'\. `verydeep weights list` shows all"),
        ("vgg16-1x1", "vgg16-1x1 is in the zoo, but no published weights are known for it"),
        ("model.safetensors", r"no published weights with the name 'model.safetensors'"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_an_error_with_the_closest_names(name, message):
    with pytest.raises(CheckpointError, match=message):
        find_published(name)


def test_values_are_json_with_null_where_not_stated():
    values = ROWS["vgg11.imagenet1k_v1"].values
    assert (values["sha256"], values["md5"], values["license"]) == ("8a719046", None, None)
    assert values["bytes_rounded"] and values["default"] and not values["features_only"]
    assert ROWS["vgg11.tv_in1k"].values["sha256"] is None
    assert Preprocess.from_dict(values["preprocess"]) == IMAGENET


def test_the_catalog_needs_no_torch():
    code = (
        "import sys; from verydeep.weights.download_weights import find_published; find_published('vgg16')\n"
        "assert not {'torch', 'numpy', 'pydantic', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["vgg16", "vgg16.imagenet1k_v1", "timm/vgg16.tv_in1k"])
def test_a_published_name_is_told_from_a_path(name):
    assert is_published(name)
    assert not is_published(f"{name}.safetensors") and not is_published(f"runs/{name}")
