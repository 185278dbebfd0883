"""A tiny network of random convolutions, folders of drawn shapes, and `tune` on them."""

from functools import cache

import pytest
import torch

from tests.train.folders import write_folder
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.tune.config import read_tune_config
from verydeep.tune.tune import resume_tuning, tune_network
from verydeep.weight_files.checkpoint_file import save

PREPROCESS = Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3)


@pytest.fixture(autouse=True)
def plan_by_brief_speed(brief_speed):
    pass


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A file of random convolutions: enough to tell most shapes apart."""
    torch.manual_seed(0)
    net = Architecture.from_string("16 M 32 M | gap", norm="batch", input=(3, 16, 16), classes=2)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save(Checkpoint(build(net).eval(), PREPROCESS, ("one", "other")), path)
    return path


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """40 images of each of three classes."""
    return write_folder(tmp_path_factory.mktemp("data") / "shapes", (40, 40, 40))


@pytest.fixture(scope="session")
def finished(tmp_path_factory, shapes, weights):
    """The run on the shapes with these settings; each is made once, so that a test must not change it."""

    @cache
    def run(**settings):
        folder = tmp_path_factory.mktemp("finished")
        config = _config(weights, settings)
        return tune_network(str(shapes), config, folder / "run", device="cpu", cache=folder / "cache")

    return run


@pytest.fixture
def run(tmp_path, shapes, weights):
    """Tunes with a cache and a run folder of its own; settings are those of a configuration."""

    def run(folder=shapes, /, *, watcher=None, name="run", file=None, **settings):
        config = _config(weights, settings, file)
        return tune_network(
            str(folder), config, tmp_path / name, device="cpu", watcher=watcher, cache=tmp_path / "cache"
        )

    return run


def _config(weights, settings, file=None):
    changes = {"weights": str(weights), "strategy": "linear-probe"} if file is None else {}
    return read_tune_config(file, changes | {k.replace("__", "."): v for k, v in settings.items()})


@pytest.fixture
def resume(tmp_path, shapes):
    """Resumes a run of the fixture ``run``."""

    def resume(folder=shapes, /, *, watcher=None, name="run"):
        return resume_tuning(
            str(folder), tmp_path / name, device="cpu", watcher=watcher, cache=tmp_path / "cache"
        )

    return resume
