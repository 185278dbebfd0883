"""Feature extraction is forecast from its first batches; where the budget is too small, what would do."""

import io
from dataclasses import replace
from math import inf

import pytest
import torch
from rich.console import Console

from tests.train.folders import write_folder
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import Interrupted
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.terminal.tune_progress import TuneProgress
from verydeep.tune.forecast import ExtractionForecast, Pace
from verydeep.tune.prepare import TuneWatcher
from verydeep.weight_files.checkpoint_file import save

SOLAR = ExtractionForecast(
    size=224, images=901, to_compute=901, seconds_each=2.1, spent=3.0, budget=300.0
)  # the figures of a busy machine


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_the_first_batch_is_not_counted_and_the_rest_is_the_mean():
    clock = Clock()
    pace = Pace(clock)
    assert pace.seconds_each(10) is None  # this batch warmed up
    clock.now += 2.0
    assert pace.seconds_each(20) is None  # too short to know
    clock.now += 2.0
    assert pace.seconds_each(30) == pytest.approx(4.0 / 20)
    clock.now += 16.0  # the machine is slower now
    assert pace.seconds_each(50) == pytest.approx(20.0 / 40)


@pytest.mark.parametrize("phase", [0, 7, 13])
def test_with_a_machine_that_is_busy_half_of_the_time_the_forecast_is_within_a_factor_of_1_5(phase):
    """Batches take twice as long in every other half of 2 s; the forecast is made as soon as there is one."""
    clock, pace, forecast = Clock(), Pace(), None
    pace.clock = clock
    for done in range(1, 401):
        clock.now += 0.1 * (1 + (done + phase) // 20 % 2)
        if forecast is None and (each := pace.seconds_each(done)):
            forecast, made = (400 - done) * each, clock.now
    assert 1 / 1.5 < forecast / (clock.now - made) < 1.5


def test_a_budget_that_is_too_small_is_answered_with_what_would_do():
    assert not SOLAR.fits
    assert SOLAR.seconds == pytest.approx(31.5 * 60, rel=0.01)
    assert SOLAR.smaller_size == 96  # not even this fits, and it is the fastest
    assert SOLAR.seconds_at(96) == pytest.approx(SOLAR.seconds * (96 / 224) ** 2)
    assert SOLAR.sufficient_budget == "40m"
    assert replace(SOLAR, budget=40 * 60.0).fits
    text = SOLAR.text.replace("\N{NO-BREAK SPACE}", " ")
    assert text == (
        "Feature extraction takes about 31 min 32 s: 901 images at 224 px, more than the budget of "
        "5 min 00 s allows. It runs to its end; --size 96 takes about 5 min 48 s, and --budget 40m is "
        "enough. After Ctrl-C, what was computed is kept"
    )
    reason = SOLAR.smaller_size_reason.replace("\N{NO-BREAK SPACE}", " ")
    assert reason == (
        "96 px, which takes about 5 min 48 s: feature extraction at 224 px would take about 31 min 32 s of "
        "the budget of 5 min 00 s (--size 224 or --budget 40m keeps that size)"
    )


def test_the_largest_size_that_fits_is_proposed():
    assert replace(SOLAR, seconds_each=0.5).smaller_size == 160
    assert replace(SOLAR, seconds_each=0.3).smaller_size == 192
    assert replace(SOLAR, seconds_each=0.2).fits


def test_features_in_the_cache_need_no_time_and_a_smaller_size_has_none_there():
    few = replace(SOLAR, to_compute=50)
    assert few.fits and few.seconds == pytest.approx(105)
    assert few.smaller_size is None  # 901 images at 96 px would take longer


def test_without_a_limit_it_fits_and_a_small_size_has_no_smaller_one():
    assert replace(SOLAR, budget=inf).fits
    assert replace(SOLAR, size=96).smaller_size is None
    assert "--size" not in replace(SOLAR, size=96).text


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Weights for images of 224 px, and images of 128 px, so that 128 px is the size by default."""
    torch.manual_seed(0)
    net = Architecture.from_string("4s4 M 8 M | gap", input=(3, 224, 224), classes=2)
    path = tmp_path_factory.mktemp("weights") / "large.safetensors"
    save(
        Checkpoint(build(net).eval(), Preprocess(size=224, mean=(0.5,) * 3, std=(0.25,) * 3), ("a", "b")),
        path,
    )
    folder = write_folder(tmp_path_factory.mktemp("data") / "large", (20, 20, 20), size=128)
    return {"weights": str(path)}, folder


@pytest.fixture
def slow(monkeypatch):
    """Pretends that an image takes 10 s at 128 px."""
    monkeypatch.setattr("verydeep.tune.features.Pace.seconds_each", lambda self, done: 10.0)


class Lines(TuneWatcher):
    """Keeps what a person is told."""

    def __init__(self):
        self.reasons, self.forecast = [], []

    def resizes(self, reason):
        self.reasons.append(reason)

    def forecasts(self, forecast):
        self.forecast.append(forecast)


def test_a_smaller_size_is_taken_where_the_budget_does_not_allow_the_usual_one(run, large, slow):
    weights, folder = large
    lines = Lines()
    result = run(folder, watcher=lines, **weights)
    assert result.preprocess.size == result.decided.size == 96
    assert result.asked.size is None
    assert lines.reasons == [result.size_reason] and result.size_reason.startswith("96 px, which takes about")
    assert not lines.forecast[0].fits  # nothing is smaller: it is said, and runs to its end
    repeated = run(folder, file=result.run / "tune.toml", name="again")
    assert repeated.test == result.test and repeated.features.computed == 0


@pytest.mark.parametrize("settings", [{"size": 128}, {"budget": "none"}])
def test_a_given_size_is_kept_and_so_is_any_without_a_limit(run, large, slow, settings):
    weights, folder = large
    lines = Lines()
    result = run(folder, watcher=lines, **weights, **settings)
    assert result.preprocess.size == 128 and not lines.reasons
    assert [each.size for each in lines.forecast] == [128]


def test_a_resumed_run_keeps_the_size_that_the_clock_decided(run, resume, large, slow, monkeypatch):
    weights, folder = large

    class Stop(Lines):
        def stepped(self, state):
            self.forecast.append("stop")

        def wants_to_stop(self):
            return "stop" in self.forecast

    with pytest.raises(Interrupted):
        run(folder, watcher=Stop(), strategy="fine-tune", fine_tune__epochs=2, **weights)
    monkeypatch.undo()  # the machine is fast again
    resumed = resume(folder)
    assert resumed.preprocess.size == 96 and resumed.size_reason.startswith("96 px, which takes about")
    assert resumed.asked.size is None


def progress_lines(calls, is_terminal=False):
    file = io.StringIO()
    console = Console(file=file, force_terminal=is_terminal, width=200)
    with TuneProgress(console, lambda: False) as progress:
        calls(progress)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in file.getvalue().splitlines()]


def test_a_forecast_is_one_line_and_a_short_one_is_none():
    quick = replace(SOLAR, seconds_each=0.01)
    assert progress_lines(lambda progress: progress.forecasts(quick)) == []
    (line,) = progress_lines(lambda progress: progress.forecasts(replace(SOLAR, seconds_each=0.1)))
    assert line == "Feature extraction takes about 1 min 30 s: 901 images at 224 px"
