"""``verydeep weights``, and ``predict`` and ``evaluate`` on what it makes."""

import contextlib
import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.architecture import zoo
from verydeep.cli.main import main
from verydeep.models.build import build
from verydeep.weights.checkpoint_file import load


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def verydeep(capsys, monkeypatch):
    """Runs the command in this process: torch is loaded once."""

    def run(*arguments, cwd=None):
        monkeypatch.setenv("COLUMNS", "100")
        if cwd:
            monkeypatch.chdir(cwd)
        code = 0
        with contextlib.suppress(SystemExit):
            code = 2
            code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A resnet18 as torchvision has it, an image, and names for three classes."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    torch.save(build(zoo.resolve("resnet18").with_classes(3)).state_dict(), folder / "resnet18.pth")
    pixels = np.random.default_rng(0).integers(256, size=(300, 280, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    (folder / "names.txt").write_text("cat\ndog\n\nbird\n")
    return folder


def test_show_tells_what_is_in_a_file(verydeep, folder):
    shown = verydeep("weights", "show", folder / "resnet18.pth")
    assert shown.returncode == 0, shown.stderr
    for words in ("resnet18", "torchvision", "3 classes", "RGB, 0 to 1, mean 0.485 0.456 0.406", "SHA-256"):
        assert words in shown.stdout


def test_show_json_has_the_promised_form(verydeep, folder):
    values = json.loads(verydeep("weights", "show", folder / "resnet18.pth", "--json").stdout)
    assert (values["network"], values["layout"], values["kind"]) == ("resnet18", "torchvision", "torch")
    assert len(values["matched"]) == 122 and values["missing"] == values["left_over"] == []
    assert values["preprocess"]["resize"] == 256 and len(values["sha256"]) == 64


def test_a_foreign_file_predicts_as_it_is(verydeep, folder):
    done = verydeep("predict", folder / "resnet18.pth", folder / "photo.png", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert set(row["probabilities"]) == {"class 0", "class 1", "class 2"}


def test_import_makes_a_checkpoint_that_predicts_the_same_by_name(verydeep, folder, tmp_path):
    out = tmp_path / "net.safetensors"
    done = verydeep(
        "weights", "import", folder / "resnet18.pth", "--out", out, "--names", folder / "names.txt", "--json"
    )
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert (values["network"], values["classes"], values["new"]) == ("resnet18", ["cat", "dog", "bird"], [])
    ours, theirs = (
        json.loads(verydeep("predict", file, folder / "photo.png", "--json").stdout)[0]["confidence"]
        for file in (out, folder / "resnet18.pth")
    )
    assert ours == theirs
    again = verydeep("weights", "import", folder / "resnet18.pth", "--out", out)
    assert again.returncode == 2 and "exists already" in again.stderr


def test_import_for_another_task_says_what_is_new(verydeep, folder, tmp_path):
    out = tmp_path / "gray.safetensors"
    done = verydeep(
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
    assert "summed over the three colors" in done.stderr and "fc for 10 classes: new" in done.stderr
    assert "predict" not in done.stdout
    made = load(out)
    assert (made.model.architecture.input, made.preprocess.size, len(made.classes)) == ((1, 96, 96), 96, 10)


def test_export_writes_and_says_how_to_load(verydeep, folder, tmp_path):
    done = verydeep("weights", "export", folder / "resnet18.pth", "--as", "timm", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "resnet18-timm.safetensors: 122 tensors" in done.stdout
    assert 'timm.create_model("resnet18", num_classes=3' in done.stderr
    values = json.loads(verydeep("weights", "show", tmp_path / "resnet18-timm.safetensors", "--json").stdout)
    assert values["network"] == "resnet18"


def test_a_run_goes_in_and_is_shown(verydeep, trained):
    shown = verydeep("weights", "show", trained)
    assert "verydeep" in shown.stdout and "the file, which states it" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nothing.pth"), "there is no checkpoint at nothing.pth"),
        (("import", "{f}/resnet18.pth", "--out", "x.pth"), "a checkpoint is a .safetensors file"),
        (("import", "{f}/resnet18.pth", "--out", "x.safetensors", "--network", "vgg16"), "vgg16"),
        (("import", "{f}/photo.png", "--out", "x.safetensors"), "no weight file of a known kind"),
        (("import", "imagenet", "--out", "x.safetensors"), "needs a network beside it"),
        (("export", "{f}/resnet18.pth", "--as", "keras"), "keras has no network"),
        (("export", "{f}/resnet18.pth", "--as", "caffe"), "--as"),
    ],
)
def test_the_users_mistakes_exit_with_2_and_leave_nothing(verydeep, folder, tmp_path, arguments, said):
    failed = verydeep("weights", *(text.format(f=folder) for text in arguments), cwd=tmp_path)
    assert failed.returncode == 2, failed.stderr
    assert said in " ".join(failed.stderr.split()) and "Traceback" not in failed.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["show", "import", "export"])
def test_each_has_help_with_an_example(verydeep, verb):
    assert f"Example: verydeep weights {verb}" in verydeep("weights", verb, "--help").stdout
