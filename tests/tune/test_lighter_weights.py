"""Where no weights are named and VGG16 takes longer than the budget allows, a lighter network is taken."""

import hashlib
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from tests.train.folders import write_folder
from verydeep.analyze.stage_cost import stage_macs
from verydeep.architecture import zoo
from verydeep.architecture.layers import Head
from verydeep.download.checksum import Checksum
from verydeep.errors import Interrupted
from verydeep.models.build import build
from verydeep.tune import probe
from verydeep.tune.budget import extraction_seconds
from verydeep.tune.prepare import TuneWatcher
from verydeep.weights import catalog as catalog_module
from verydeep.weights import default_weights as defaults_module
from verydeep.weights.catalog import catalog, find_published
from verydeep.weights.default_weights import LIGHTER

from .watchers import StopAfterStrategy

RESNET18 = "resnet18.imagenet1k_v1"
SECONDS = {"resnet34": 6.0, "resnet18": 3.0, "alexnet": 1.0}
"""For an image, where VGG16 takes ten."""


class Told(TuneWatcher):
    """Keeps what a person is told."""

    def __init__(self):
        self.lines, self.sizes, self.forecast = [], [], []

    def chooses_weights(self, text):
        self.lines.append(text.replace("\N{NO-BREAK SPACE}", " "))

    def resizes(self, reason):
        self.sizes.append(reason)

    def forecasts(self, forecast):
        self.forecast.append(forecast)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """60 images of 96 px."""
    return write_folder(tmp_path_factory.mktemp("data") / "large", (20, 20, 20), size=96)


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Only ResNet18 is in a cache, with random weights, and nothing can be downloaded."""
    for variable in ("HOME", "TORCH_HOME", "KERAS_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "empty"))
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path / "published"))
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    row = find_published(RESNET18)
    file = tmp_path / "published" / row.source.folder / row.file
    file.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(build(zoo.resolve("resnet18")).state_dict(), file)
    content = file.read_bytes()
    checksum = Checksum(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))
    rows = tuple(replace(each, checksum=checksum) if each.name == RESNET18 else each for each in catalog())
    for module in (catalog_module, defaults_module):
        monkeypatch.setattr(module, "catalog", lambda: rows)


@pytest.fixture
def slow(monkeypatch, weights):
    """The tiny network stands for VGG16, and takes 10 s an image; the lighter ones less."""

    def default(tell, progress, *, features):
        tell("Weights: tiny from the cache, as no --weights was given")
        return str(weights)

    def timed(self, done):
        return 10.0

    monkeypatch.setattr("verydeep.tune.prepare.default_weights", default)
    monkeypatch.setattr("verydeep.tune.features.Pace.seconds_each", timed)
    monkeypatch.setattr(probe, "extraction_seconds", lambda network, *others: SECONDS[network])
    monkeypatch.setattr("verydeep.embed.feature_precision.has_bf16", lambda device: False)


def test_the_lighter_networks_are_in_the_catalog_and_have_fewer_macs_than_vgg16_in_order():
    macs = [
        sum(stage_macs(replace(zoo.resolve(find_published(name).architecture), head=Head())))
        for name in ("vgg16", *LIGHTER)
    ]
    assert macs == sorted(macs, reverse=True)
    assert [round(macs[0] / each) for each in macs[1:]] == [4, 8, 23]


def test_the_time_of_a_network_is_measured_without_its_weights():
    assert 0 < extraction_seconds("alexnet", 96, torch.device("cpu"), "fp32") < 10


def test_the_lighter_network_replaces_vgg16_with_the_reason(run, large, slow, cached, weights):
    told = Told()
    result = run(large, weights=None, watcher=told, size=96)
    assert result.decided.weights == RESNET18 and result.asked.weights is None
    assert result.architecture.name.startswith("resnet18")
    reason = result.weights_reason.replace("\N{NO-BREAK SPACE}", " ")
    assert reason == (
        f"{RESNET18}, which takes about 3 min 00 s: feature extraction by {weights} would take about "
        f"10 min 00 s of the budget of 5 min 00 s (--weights {weights} or --budget 13m keeps that network)"
    )
    assert told.lines == ["Weights: tiny from the cache, as no --weights was given", f"Weights: {reason}"]
    assert not told.sizes and len(told.forecast) == 1  # it is not exchanged again
    repeated = run(large, file=result.run / "tune.toml", name="again")
    assert repeated.features.computed == 0 and repeated.test == result.test


def test_named_weights_a_named_layer_and_no_limit_keep_the_network(run, large, slow, cached, weights):
    assert run(large, size=96, name="named").decided.weights == str(weights)
    for name, settings in (("layer", {"head": "relu1_1"}), ("none", {"budget": "none"})):
        result = run(large, weights=None, size=96, name=name, **settings)
        assert result.decided.weights == str(weights)
        assert result.weights_reason == "tiny from the cache, as no --weights was given"


def test_without_a_lighter_network_the_images_are_made_smaller(run, slow, tmp_path, monkeypatch, weights):
    monkeypatch.setattr(probe, "lighter_weights", lambda names, tell, progress: None)
    told = Told()
    folder = write_folder(tmp_path / "larger", (10, 10, 10), size=128)
    monkeypatch.setattr("verydeep.tune.prepare.fitting_size", lambda asked, short, own: (128, "128 px"))
    result = run(folder, weights=None, watcher=told, budget="2m")
    assert result.preprocess.size == 96 and told.sizes == [result.size_reason]
    assert result.decided.weights == str(weights)


@pytest.mark.parametrize(
    ("budget", "names"),
    [
        ("8m", ["resnet34.imagenet1k_v1", "resnet18.imagenet1k_v1", "alexnet.imagenet1k_v1"]),
        ("5m", ["resnet18.imagenet1k_v1", "alexnet.imagenet1k_v1"]),
        ("30s", ["alexnet.imagenet1k_v1", "resnet18.imagenet1k_v1", "resnet34.imagenet1k_v1"]),
    ],
)
def test_the_most_accurate_that_fits_is_wanted_first_else_the_fastest(
    run, large, slow, monkeypatch, budget, names
):
    wanted = []
    monkeypatch.setattr(probe, "lighter_weights", lambda names, tell, progress: wanted.extend(names))
    run(large, weights=None, size=96, budget=budget)
    assert wanted == names


def test_a_resumed_run_keeps_the_chosen_network(run, resume, large, slow, cached, monkeypatch):
    with pytest.raises(Interrupted):
        run(large, weights=None, size=96, watcher=StopAfterStrategy())
    monkeypatch.setattr("verydeep.tune.features.Pace.seconds_each", lambda self, done: 0.01)
    resumed = resume(large)
    assert resumed.decided.weights == RESNET18
    assert resumed.weights_reason.startswith(f"{RESNET18}, which takes")
    assert load_file(resumed.run / "model.safetensors")
