"""The written module rebuilds the network in plain torch, with this package's preprocessing."""

import ast
import importlib.util
import io
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import CAFFE, IMAGENET, Preprocess
from verydeep.cli.main import main
from verydeep.decoding.decode import decode_pixels
from verydeep.decoding.normalize import normalize_pixels
from verydeep.errors import CheckpointError
from verydeep.export.check_images import drawn_images
from verydeep.export.export_torch import export_torch
from verydeep.export.to_torch import write_torch
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weight_files.checkpoint_file import save

NO_BIAS = {"norm": "batch", "conv_bias": False}
NETWORKS = {
    "plain": ("4 M 8x2 M | pool2 6 5", {}),
    "batch norm": ("4 M 8 M | gap", {"norm": "batch"}),
    "batch norm after the pool": ("4 M 8x2 M | pool3 6", {"norm": "batch-after-pool", "conv_bias": False}),
    "basic blocks": ("4k7s2 Mk3s2p1 (4 4)x2 (8s2 8) | gap", NO_BIAS),
    "bottlenecks": ("4 (2k1 2 8k1)x2 (4k1 4s2 16k1) | gap", NO_BIAS),
    "blocks without batch norm": ("4 (4 4) (8s2 8) | gap", {}),
    "blocks after a pool": ("4 M (4 4) M 6 | gap 5", {"norm": "batch"}),
    "AlexNet of 2012": ("4k5s2p2 L Mk3s2 8k5g2 L | pool2 6 6", {}),
    "dropout first": ("4 M 8 | pool2 6 5", {"dropout_first": True}),
    "gray": ("4 M 8 | gap", {"input": (1, 16, 16)}),
}


def checkpoint(string="4 M 8 | gap", settings=None, classes=("cat", "dog", "owl"), **preprocess):
    torch.manual_seed(0)
    settings = {"input": (3, 16, 16)} | (settings or {})
    channels = settings["input"][0]
    model = build(Architecture.from_string(string, classes=len(classes), **settings))
    with torch.no_grad():  # batch norms as after a training
        model.train()(torch.randn(8, *settings["input"]) * 2 + 1)
    values = {"mean": (0.4,) * channels, "std": (0.3,) * channels, "size": 16, "resize": 18}
    return Checkpoint(
        model.eval(), Preprocess(channels=channels, **(values | preprocess)), classes, {"temperature": 1.7}
    )


def module_in(folder):
    spec = importlib.util.spec_from_file_location("written", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_module_gives_the_same_logits_at_any_size(kind, tmp_path):
    network = checkpoint(*NETWORKS[kind])
    write_torch(network, tmp_path)
    rebuilt = module_in(tmp_path).load()
    for size in ((16, 16), (33, 40)):
        images = torch.randn(2, network.preprocess.channels, *size)
        with torch.no_grad():
            torch.testing.assert_close(rebuilt(images), network.model(images), rtol=1e-5, atol=1e-6)


def test_the_weights_keep_the_names_of_torchvision(tmp_path):
    network = checkpoint(*NETWORKS["basic blocks"])
    write_torch(network, tmp_path)
    assert module_in(tmp_path).load().state_dict().keys() == network.model.state_dict().keys()


def photographs():
    """Images of the modes that files have, each as a PNG or JPEG."""
    values = np.random.default_rng(0).integers(0, 256, (40, 57, 4), dtype=np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    yield "color", Image.fromarray(values[..., :3]), {}
    yield "gray", Image.fromarray(values[..., 0]), {}
    yield "gray, 16 bits", Image.fromarray(values[..., 0].astype(np.uint16) * 257 + 9), {}
    yield "transparent", Image.fromarray(values), {}
    yield "gray and transparent", Image.fromarray(values[..., :2]), {}
    yield "palette", Image.fromarray(values[..., :3]).quantize(17), {"transparency": 3}
    yield "black and white", Image.fromarray(values[..., 0]).convert("1"), {}
    yield "turned", Image.fromarray(values[..., :3]), {"exif": turned}


CAFFE_VALUES = {"order": "bgr", "scale": 255.0, "mean": (103.0, 116.0, 123.0), "std": (1.0, 1.0, 1.0)}


@pytest.mark.parametrize(
    "preprocess",
    [
        {}, CAFFE_VALUES, {"resize": None}, {"resize": None, "fit": "pad"}, {"resize": None, "fit": "squash"},
        CAFFE_VALUES | {"resize": None, "fit": "pad"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("image", list(photographs()), ids=lambda image: image[0])
@pytest.mark.parametrize("channels", [1, 3])
def test_preprocess_is_that_of_this_package(image, channels, preprocess, tmp_path):
    if channels == 1 and preprocess.get("order"):
        preprocess = {name: value for name, value in preprocess.items() if name in ("resize", "fit")} | {
            "scale": 255.0
        }
    network = checkpoint("4 | gap", {"input": (channels, 16, 16)}, **preprocess)
    write_torch(network, tmp_path)
    _, picture, options = image
    picture.save(file := io.BytesIO(), "PNG", **options)
    expected = normalize_pixels(decode_pixels(file.getvalue(), network.preprocess)[None], network.preprocess)
    given = module_in(tmp_path).preprocess(Image.open(file))
    np.testing.assert_allclose(given.numpy(), expected[0], rtol=1e-6, atol=1e-6)


HOSTILE = (
    'a"; import os; os.abort() #', "'''", '"""', "\\", "\\'",
    "new\nline", "owl\u202e", "{0}", "カ", "\x00", "%s",
)  # fmt: skip


def test_class_names_are_only_text(tmp_path):
    network = checkpoint(classes=HOSTILE)
    network = replace(network, origin={"temperature": 2.5, "note": '"""'})
    write_torch(network, tmp_path)
    tree = ast.parse((tmp_path / "model.py").read_text(encoding="utf-8"))
    names = next(each.value for each in tree.body if ast.unparse(each).startswith("CLASSES"))
    assert ast.literal_eval(names) == HOSTILE
    assert not any(isinstance(each, ast.Import) and each.names[0].name == "os" for each in ast.walk(tree))
    module = module_in(tmp_path)
    assert (module.CLASSES, module.TEMPERATURE) == (HOSTILE, 2.5)


def test_a_hostile_name_of_the_architecture_is_only_text(tmp_path):
    network = checkpoint()
    network.model.architecture = replace(network.model.architecture, name='"""\nimport os\nos.abort()')
    write_torch(network, tmp_path)
    module = module_in(tmp_path)
    assert network.model.architecture.name == module.NAME


@pytest.mark.slow
def test_a_module_that_disagrees_is_not_written(tmp_path, monkeypatch):
    source = "verydeep.export.to_torch.torch_source"
    from verydeep.export.torch_source import torch_source

    monkeypatch.setattr(source, lambda network: torch_source(network).replace("STD = (0.3,", "STD = (0.31,"))
    with pytest.raises(CheckpointError, match="Nothing was written"):
        export_torch(checkpoint(), tmp_path / "shapes", size=16)
    monkeypatch.setattr(source, lambda network: "import verydeep")
    with pytest.raises(CheckpointError, match="the exported module fails: ModuleNotFoundError"):
        export_torch(checkpoint(), tmp_path / "shapes", size=16)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_compares_the_module_in_a_python_without_this_package(tmp_path, capsys):
    network = checkpoint(*NETWORKS["basic blocks"], resize=20)
    save(network, run := tmp_path / "model.safetensors")
    folder = tmp_path / "plain"
    assert main(["export", str(run), "--to", "torch", "--dynamic", "--out", str(folder), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["format"], values["size"], len(values["parity"]["sizes"])) == ("torch", None, 3)
    assert values["parity"]["relative_error"] <= 1e-5
    assert sorted(path.name for path in folder.iterdir()) == ["model.py", "model.safetensors"]


@pytest.mark.slow
def test_the_module_is_a_command_that_classifies_files(tmp_path, capsys):
    network = checkpoint()
    write_torch(network, tmp_path)
    save(network, run := tmp_path / "run.safetensors")
    image = Image.fromarray(drawn_images(network.preprocess).pixels[0].transpose(1, 2, 0))
    image.save(photo := tmp_path / "photo.png")
    assert main(["predict", str(run), str(photo)]) == 0
    expected = capsys.readouterr().out.strip().replace("\xa0%", "%")
    command = [sys.executable, "-I", tmp_path / "model.py", photo]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == expected


@pytest.mark.slow
def test_the_command_goes_on_after_a_file_that_is_no_image(tmp_path):
    network = checkpoint()
    write_torch(network, tmp_path)
    image = Image.fromarray(drawn_images(network.preprocess).pixels[0].transpose(1, 2, 0))
    image.save(photo := tmp_path / "photo.png")
    (text := tmp_path / "text.png").write_text("no image")
    (cut := tmp_path / "cut.png").write_bytes(photo.read_bytes()[:100])
    files = [text, cut, tmp_path / "missing.png", tmp_path, photo]
    result = subprocess.run(
        [sys.executable, "-I", tmp_path / "model.py", *files], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert [line.split(" is not")[0] for line in result.stderr.splitlines()] == [
        str(each) for each in files[:-1]
    ]
    assert result.stdout.startswith(f"{photo}: ") and result.stdout.count("\n") == 1


def test_only_fp32_is_written(tmp_path, capsys):
    save(checkpoint(), run := tmp_path / "model.safetensors")
    assert main(["export", str(run), "--to", "torch", "--bf16", "--out", str(tmp_path / "plain")]) == 2
    assert "torch has no bf16. What there is: onnx: fp32, int8; openvino: " in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize("preprocess", [IMAGENET, CAFFE])
def test_published_preprocessing_is_written(preprocess, tmp_path):
    network = replace(checkpoint(), preprocess=preprocess)
    write_torch(network, tmp_path)
    module = module_in(tmp_path)
    assert preprocess.mean == module.MEAN
    assert (preprocess.size, preprocess.resize) == (module.SIZE, module.RESIZE)
