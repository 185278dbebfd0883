"""Running the command as a user does; a trained run; an image folder and pretrained weights for it."""

import os
import signal
import subprocess
import sys

import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.cli.main import main
from verydeep.data import synthetic
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.recipe import Recipe
from verydeep.train.train import train_network
from verydeep.weight_files.checkpoint_file import save

TINY = Recipe(
    model="8 M 16 M | gap", norm="batch", epochs=1, batch_size=50, precision="fp32",
    optimizer=OptimizerConfig(name="muon", lr=0.05),
)  # fmt: skip
TINY_FLAGS = ("--model", "8 M 16 M | gap", "--size", 16, "--epochs", 2, "--precision", "fp32")
"""Of `train` on an image folder: seconds instead of minutes."""


@pytest.fixture(autouse=True)
def plan_by_brief_speed(brief_speed):
    pass


@pytest.fixture(scope="session")
def verydeep():
    """Runs ``python -m verydeep`` and gives the finished process."""

    def run(*arguments, cwd=None, **environment):
        return subprocess.run(
            [sys.executable, "-m", "verydeep", *map(str, arguments)],
            capture_output=True, text=True, cwd=cwd, timeout=300,
            env={**os.environ, "COLUMNS": "100", "OMP_NUM_THREADS": "1", **environment},
        )  # fmt: skip

    return run


@pytest.fixture
def here(capsys, monkeypatch, tmp_path_factory):
    """As ``verydeep``, in this process, which has imported torch already."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path_factory.mktemp("cache")))

    def run(*arguments, cwd=None):
        if cwd is not None:
            monkeypatch.chdir(cwd)
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = stopped.code
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, printed.out, printed.err)

    return run


@pytest.fixture
def press_ctrl_c(monkeypatch):
    """Presses Ctrl-C at the so manyth call of a method of a progress class, and never again."""

    def press(progress, method, call):
        watched, calls = getattr(progress, method), iter(range(1, 10_000))

        def pressing(self, *arguments):
            watched(self, *arguments)
            if next(calls) == call:
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(progress, method, pressing)

    return press


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run on the built-in synthetic data."""
    run = tmp_path_factory.mktemp("cli") / "run"
    train_network(TINY, synthetic.dataset(), run, device="cpu")
    return run


def write_shapes(folder, images=60, classes=2):
    """Drawn shapes of 16 px: a folder per class, and three images in a row named after one photo."""
    drawn = synthetic.shapes(images, size=16, channels=3, classes=classes)
    for number, (pixels, label) in enumerate(zip(drawn.pixels, drawn.labels.tolist(), strict=True)):
        path = folder / drawn.classes[label] / f"photo_{number // 3:02}_{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    return folder


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """``shapes/`` with 60 images of two classes."""
    return write_shapes(tmp_path_factory.mktemp("images") / "shapes")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A checkpoint of random convolutions of two stages, trained on other classes."""
    torch.manual_seed(0)
    architecture = Architecture.from_string(
        "16 M 32 M | gap", norm="batch", input=(3, 16, 16), classes=2, name="tiny"
    )
    preprocess = Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save(Checkpoint(build(architecture).eval(), preprocess, ("one", "other")), path)
    return path
