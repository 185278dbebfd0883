"""``verydeep weights show``, ``import`` and ``export``, and ``predict`` on the resulting files."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.architecture import zoo
from verydeep.models.build import build
from verydeep.weight_files.checkpoint_file import load


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A resnet18 in torchvision's layout, an image, and names for three classes."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    torch.save(build(zoo.resolve("resnet18").with_classes(3)).state_dict(), folder / "resnet18.pth")
    pixels = np.random.default_rng(0).integers(256, size=(300, 280, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    (folder / "names.txt").write_text("cat\ndog\n\nbird\n")
    return folder


def test_show_prints_the_contents_of_a_file(here, folder):
    shown = here("weights", "show", folder / "resnet18.pth")
    assert shown.returncode == 0, shown.stderr
    for text in ("resnet18", "torchvision", "3 classes", "RGB, 0 to 1, mean 0.485 0.456 0.406", "SHA-256"):
        assert text in shown.stdout


def test_show_json_has_the_documented_keys(here, folder):
    values = json.loads(here("weights", "show", folder / "resnet18.pth", "--json").stdout)
    assert (values["network"], values["layout"], values["format"]) == ("resnet18", "torchvision", "torch")
    assert len(values["matched"]) == 122 and values["missing"] == values["unexpected"] == []
    assert values["preprocess"]["resize"] == 256 and len(values["sha256"]) == 64


def test_predict_takes_a_weight_file_of_torchvision(here, folder):
    done = here("predict", folder / "resnet18.pth", folder / "photo.png", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert set(row["probabilities"]) == {"class 0", "class 1", "class 2"}


def test_import_writes_a_checkpoint_with_equal_predictions_and_class_names(here, folder, tmp_path):
    out = tmp_path / "net.safetensors"
    done = here(
        "weights", "import", folder / "resnet18.pth", "--out", out, "--names", folder / "names.txt", "--json"
    )
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert (values["network"], values["classes"], values["new_layers"]) == (
        "resnet18",
        ["cat", "dog", "bird"],
        [],
    )
    imported, original = (
        json.loads(here("predict", file, folder / "photo.png", "--json").stdout)[0]["confidence"]
        for file in (out, folder / "resnet18.pth")
    )
    assert imported == original
    repeated = here("weights", "import", folder / "resnet18.pth", "--out", out)
    assert repeated.returncode == 2 and "already exists" in repeated.stderr


def test_the_next_command_quotes_its_path(here, folder, tmp_path):
    done = here("weights", "import", folder / "resnet18.pth", "--out", "my net.safetensors", cwd=tmp_path)
    assert done.stdout.endswith("Use it: verydeep predict 'my net.safetensors' photo.jpg\n")


def test_a_name_of_published_weights_is_explained_before_images_are_looked_for(here, tmp_path):
    failed = here("predict", "vgg16", "photos", cwd=tmp_path)
    assert failed.returncode == 2 and failed.stderr.endswith("verydeep weights get vgg16\n")


def test_import_for_another_task_prints_the_changes(here, folder, tmp_path):
    out = tmp_path / "gray.safetensors"
    done = here(
        "weights",
        "import",
        folder / "resnet18.pth",
        "--out",
        out,
        "--classes",
        10,
        "--channels",
        1,
        "--size",
        96,
    )
    assert done.returncode == 0, done.stderr
    assert (
        "summed over the three colors" in done.stderr
        and "fc for 10 classes: random initialization" in done.stderr
    )
    assert "predict" not in done.stdout
    network = load(out)
    assert (network.model.architecture.input, network.preprocess.size, len(network.classes)) == (
        (1, 96, 96),
        96,
        10,
    )


def test_export_prints_the_code_that_loads_the_file(here, folder, tmp_path):
    done = here("weights", "export", folder / "resnet18.pth", "--as", "timm", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "resnet18-timm.safetensors: 122 tensors" in done.stdout
    assert 'timm.create_model("resnet18", num_classes=3' in done.stderr
    values = json.loads(here("weights", "show", tmp_path / "resnet18-timm.safetensors", "--json").stdout)
    assert values["network"] == "resnet18"


def test_the_file_of_a_run_has_its_whole_name_though_it_has_a_dot(here, folder, tmp_path):
    run = tmp_path / "photos-v1.2"
    here("weights", "import", folder / "resnet18.pth", "--out", run / "model.safetensors")
    done = here("weights", "export", "photos-v1.2", "--as", "timm", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "photos-v1.2-timm.safetensors").exists()


def test_show_takes_a_run_folder(here, trained):
    shown = here("weights", "show", trained)
    assert "verydeep" in shown.stdout and "the metadata of the file" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "nothing.pth"), "there is no checkpoint at nothing.pth"),
        (("show", "vgg16"), "the name of published weights"),
        (
            ("import", "{f}/resnet18.pth", "--out", "x.vdz", "--names", "{f}/names.txt", "--classes", "10"),
            "names.txt has 3 names, and --classes is 10; expected as many",
        ),
        (("import", "{f}/resnet18.pth", "--out", "x.vdz", "--size", "0"), "must be at least 1"),
        (("import", "{f}/resnet18.pth", "--out", "x.pth"), "a checkpoint is a .safetensors or .vdz file"),
        (("import", "{f}/resnet18.pth", "--out", "x.safetensors", "--network", "vgg16"), "vgg16"),
        (("import", "{f}/photo.png", "--out", "x.safetensors"), "not a weight file of a known format"),
        (("import", "imagenet", "--out", "x.safetensors"), "needs the name of a network"),
        (("export", "{f}/resnet18.pth", "--as", "keras"), "keras has no network"),
        (("export", "{f}/resnet18.pth", "--as", "caffe"), "--as"),
    ],
)
def test_a_wrong_call_exits_with_2_and_writes_nothing(here, folder, tmp_path, arguments, message):
    failed = here("weights", *(text.format(f=folder) for text in arguments), cwd=tmp_path)
    assert failed.returncode == 2, failed.stderr
    assert message in " ".join(failed.stderr.split()) and "Traceback" not in failed.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["show", "import", "export"])
def test_each_command_has_help_with_an_example(here, command):
    assert f"Example: verydeep weights {command}" in here("weights", command, "--help").stdout


def test_names_and_recipes_in_another_encoding_are_one_line(here, tmp_path):
    (tmp_path / "names.txt").write_text("고양이\n개\n", encoding="cp949")
    (tmp_path / "mine.toml").write_text("# 한글 주석\nepochs = 2\n", encoding="cp949")
    for command in (
        ["weights", "import", "w.pth", "--names", "names.txt", "--out", "w.safetensors"],
        ["train", "synthetic", "--recipe", "mine.toml"],
        ["tune", "photos", "--recipe", "mine.toml"],
    ):
        refused = here(*command, cwd=tmp_path)
        assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1
        assert "iconv -f cp949 -t UTF-8" in refused.stderr
