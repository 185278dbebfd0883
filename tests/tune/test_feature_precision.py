"""Features are computed in bf16 where the machine has it and they agree; test images always in fp32."""

import pytest

from verydeep.data.split_parts import indices_of
from verydeep.embed import feature_precision
from verydeep.errors import Interrupted
from verydeep.evaluate.evaluation import evaluate_logits
from verydeep.tune.feature_cache import FeatureCache
from verydeep.tune.forecast import FP32_COST, ExtractionForecast
from verydeep.tune.prepare import TuneWatcher, prepare
from verydeep.weight_files.checkpoint_file import load

from .watchers import StopAfterStrategy


class Told(TuneWatcher):
    """Keeps the lines, the forecast and the progress."""

    def __init__(self):
        self.lines, self.progress = [], []

    def chooses_precision(self, text):
        self.lines.append(text)

    def extracted(self, done, total):
        self.progress.append((done, total))


@pytest.fixture(params=[True, False], ids=["bf16", "no-bf16"])
def has_bf16(request, monkeypatch):
    monkeypatch.setattr(feature_precision, "has_bf16", lambda device: request.param)
    return request.param


@pytest.fixture
def bf16(monkeypatch):
    """A machine that computes with bf16."""
    monkeypatch.setattr(feature_precision, "has_bf16", lambda device: True)


def test_auto_is_bf16_where_the_machine_has_it(run, has_bf16):
    told = Told()
    result = run(watcher=told)
    assert result.asked.precision == "auto"
    assert result.decided.precision == ("bf16" if has_bf16 else "fp32")
    if has_bf16:
        (line,) = told.lines
        assert line.startswith("Features in bf16: features of 8 images differ by 0.")
        assert result.machine["precision"] == "features in bf16, test images in fp32"
    else:
        assert told.lines == [] and result.machine["precision"] == "fp32"


def test_what_is_asked_for_comes_before_what_the_machine_has(run, has_bf16):
    assert run(precision="fp32", name="one").decided.precision == "fp32"
    assert run(precision="bf16", name="other").decided.precision == "bf16"


def test_features_that_do_not_agree_are_computed_in_fp32(run, bf16, monkeypatch):
    monkeypatch.setattr(feature_precision, "GREATEST_ERROR", 1e-6)
    told = Told()
    assert run(watcher=told).decided.precision == "fp32"
    assert told.lines[0].startswith("Features in fp32: in bf16, features of 8 images differ by")


def test_only_training_images_are_in_bf16(run, bf16, tmp_path):
    told = Told()
    result = run(watcher=told)
    folders = {folder.name for folder in (tmp_path / "cache").iterdir()}
    assert len(folders) == 2 and result.features.cache.name in folders
    assert (result.features.computed, result.features.cached) == (120, 0)
    assert told.progress[-1] == (120, 120)
    assert all(total == 120 for _, total in told.progress)
    again = run(name="again")
    assert (again.features.computed, again.features.cached) == (0, 120)
    assert again.test.top1 == result.test.top1


def test_the_measured_network_is_the_saved_one_in_fp32(run, bf16, shapes, tmp_path):
    result = run()
    network = load(result.run / "model.safetensors")
    task = prepare(str(shapes), result.decided, "cpu", TuneWatcher())
    test = task.samples.select(indices_of(task.samples, "test"))
    cache = FeatureCache(network.model, network.preprocess, tmp_path / "exact")
    logits = network.model.classifier(cache(test.sources).values).detach()
    exact = evaluate_logits(logits, test.labels, test.classes)
    assert (result.test.top1, result.test.loss) == pytest.approx((exact.top1, exact.loss))


def test_a_resumed_run_keeps_the_precision(run, resume, monkeypatch):
    monkeypatch.setattr(feature_precision, "has_bf16", lambda device: True)
    with pytest.raises(Interrupted):
        run(strategy="fine-tune", watcher=StopAfterStrategy(), fine_tune__epochs=1)
    monkeypatch.setattr(feature_precision, "has_bf16", lambda device: False)
    assert resume().decided.precision == "bf16"


def test_the_forecast_counts_the_images_in_fp32():
    forecast = ExtractionForecast(
        size=96, images=100, to_compute=100, slower=20, seconds_each=1.0, spent=0.0, budget=60.0
    )
    assert forecast.seconds == 100 + 20 * (FP32_COST - 1)
    assert forecast.seconds_at(48) == pytest.approx(forecast.seconds / 4)
