"""An interrupted `tune` is resumed to the same bits; its decisions, given back, repeat it bit by bit."""

from dataclasses import replace

import pytest
import torch

from tests.train.runs import tensors
from tests.train.shapes import same
from verydeep.errors import CheckpointError, DataError, Interrupted
from verydeep.train.run_folder import RunFolder
from verydeep.train.unfinished_run import begin, latest_unfinished_run, read_start
from verydeep.tune.budget import Plan
from verydeep.tune.config import read_tune_config
from verydeep.tune.prepare import TuneWatcher
from verydeep.weight_files.checkpoint_file import load

COMPARE = {"strategy": "compare", "budget": "none", "fine_tune__epochs": 3, "scratch__epochs": 3}


class StopAfter(TuneWatcher):
    """Wants to stop after so many calls of one method, for training of one strategy."""

    def __init__(self, method, calls, strategy="fine-tune"):
        self.method, self.calls, self.strategy = method, calls, strategy
        self.running = None

    def begins(self, job, state):
        self.running = job.name

    def _count(self, method):
        if method == self.method and self.running in (None, self.strategy):
            self.calls -= 1

    def stepped(self, state):
        self._count("stepped")

    def computed(self, done, total):
        self._count("computed")

    def extracted(self, done, total):
        self._count("extracted")

    def cross_validated(self, point):
        self._count("cross_validated")

    def checked(self, done, total):
        self._count("checked")

    def wants_to_stop(self):
        return self.calls <= 0


def measures(result):
    """What must be equal, without times."""
    return [
        (each.strategy, each.validation, each.test, [replace(epoch, seconds=0.0) for epoch in each.epochs])
        for each in result.strategies
    ]


def assert_same(resumed, whole):
    assert same(tensors(resumed.run), tensors(whole.run))
    assert measures(resumed) == measures(whole)
    assert (resumed.chosen, resumed.reason) == (whole.chosen, whole.reason)
    assert resumed.decided == whole.decided and resumed.asked == whole.asked
    assert resumed.temperature == whole.temperature


def test_the_time_of_an_interrupted_run_is_that_of_all_its_processes(run, resume, tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(Interrupted):
        run(**COMPARE, watcher=StopAfter("stepped", 1))
    first = read_start(folder)
    assert first.seconds > 0 and first.size == 16
    begin(folder, replace(first, seconds=1000.0))
    with pytest.raises(Interrupted):
        resume(watcher=StopAfter("stepped", 1))
    second = read_start(folder)
    assert replace(second, seconds=first.seconds) == first
    assert 1000 < second.seconds < resume().seconds


@pytest.mark.parametrize(
    ("strategy", "steps", "freeze"),
    [("fine-tune", 1, 0), ("fine-tune", 4, 1), ("fine-tune", 6, 0), ("scratch", 3, 0)],
)
def test_a_training_interrupted_within_tune_resumes_to_the_same_bits(
    run, resume, finished, tmp_path, strategy, steps, freeze
):
    settings = COMPARE | {"fine_tune__freeze": freeze}
    with pytest.raises(Interrupted, match="stopped and saved in epoch"):
        run(watcher=StopAfter("stepped", steps, strategy), **settings)
    assert RunFolder(tmp_path / "run").is_unfinished
    torch.rand(11)  # random numbers are used in between
    resumed = resume()
    assert not RunFolder(resumed.run).is_unfinished
    assert_same(resumed, finished(**settings))


def test_it_may_be_interrupted_several_times(run, resume, finished):
    with pytest.raises(Interrupted):
        run(watcher=StopAfter("stepped", 2), **COMPARE)
    with pytest.raises(Interrupted):
        resume(watcher=StopAfter("stepped", 3))
    with pytest.raises(Interrupted):
        resume(watcher=StopAfter("stepped", 4, "scratch"))
    assert_same(resume(), finished(**COMPARE))


def test_an_interrupted_training_leaves_the_linear_probe_ready_to_use(run, tmp_path):
    with pytest.raises(Interrupted):
        run(watcher=StopAfter("stepped", 1), **COMPARE)
    saved = load(tmp_path / "run")
    assert saved.origin["strategy"] == "linear-probe"
    assert saved.classes == ("circle", "square", "triangle")


def test_stopping_while_feature_maps_are_computed_resumes_too(run, resume, finished):
    settings = COMPARE | {"strategy": "fine-tune", "fine_tune__freeze": 1}
    with pytest.raises(Interrupted):
        run(watcher=StopAfter("computed", 1), **settings)
    assert_same(resume(), finished(**settings))


@pytest.mark.parametrize(
    ("method", "message"),
    [("extracted", r"stopped after \d+ of 120 images, whose features are kept"),
     ("cross_validated", "stopped in cross-validation; the features of all images are kept")],
)  # fmt: skip
def test_stopping_before_the_probe_leaves_no_run_folder_and_keeps_the_features(
    run, tmp_path, method, message
):
    with pytest.raises(Interrupted, match=message):
        run(watcher=StopAfter(method, 1))
    assert not (tmp_path / "run").exists()
    result = run()
    assert result.features.cached > 0


def test_stopping_in_the_data_check_resumes_to_the_same_result(run, resume, finished):
    with pytest.raises(Interrupted, match="the classifier is saved"):
        run(watcher=StopAfter("checked", 5))
    resumed = resume()
    assert_same(resumed, finished())
    assert resumed.findings == finished().findings


def test_the_plan_is_not_made_again_when_the_machine_has_become_slower(run, resume, monkeypatch):
    def plans(freeze):
        plan = Plan(freeze=freeze, epochs=3, seconds=600.0)
        monkeypatch.setattr("verydeep.tune.strategies.plan_fine_tuning", lambda *_: plan)

    plans(freeze=0)
    with pytest.raises(Interrupted):
        run(watcher=StopAfter("stepped", 3), strategy="fine-tune", budget="1h")
    plans(freeze=1)
    resumed = resume()
    assert resumed.decided.fine_tune.freeze == 0
    assert resumed.strategies[1].epochs[-1].epoch == 3


def test_a_run_is_not_resumed_on_other_images_or_after_its_end(run, resume, tmp_path, shapes):
    with pytest.raises(Interrupted):
        run(watcher=StopAfter("stepped", 1), **COMPARE)
    with pytest.raises(CheckpointError, match=r"was started on .*; it cannot be resumed on"):
        resume(tmp_path)
    assert latest_unfinished_run(tmp_path, "tune") == tmp_path / "run"
    resume(shapes / ".." / shapes.name)  # the same folder, named otherwise
    with pytest.raises(CheckpointError, match="is finished: there is nothing to resume"):
        resume()


def test_a_run_is_not_resumed_on_images_that_have_changed(run, resume, tmp_path, shapes):
    copy = tmp_path / "copy"
    for file in sorted(shapes.rglob("*.png")):
        target = copy / file.relative_to(shapes)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    with pytest.raises(Interrupted):
        run(copy, watcher=StopAfter("stepped", 1), **COMPARE)
    next((copy / "circle").iterdir()).unlink()
    with pytest.raises(DataError, match="the images of copy changed since"):
        resume(copy)


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "auto"},
        {"strategy": "fine-tune", "fine_tune__epochs": 4, "budget": "10m"},
        {"strategy": "scratch", "scratch__epochs": 2, "budget": "none"},
        COMPARE,
    ],
    ids=["auto", "fine-tune", "scratch", "compare"],
)
def test_the_decisions_given_back_repeat_the_run_to_the_same_bits(run, finished, settings):
    first = finished(**settings)
    decided = read_tune_config(first.run / "tune.toml")
    assert decided == first.decided
    assert decided.strategy == first.chosen and decided.budget == "none"
    assert decided.balance == "none" and decided.size == 16
    assert decided.head in ("relu1_1", "pool2")
    again = run(name="again", file=first.run / "tune.toml")
    assert same(tensors(again.run), tensors(first.run))
    assert again.test == first.test
    assert again.decided == decided
    if first.chosen == "linear-probe":
        assert len(again.probe.curve) == 1  # nothing was searched for


def test_edited_decisions_are_followed(run, finished, tmp_path):
    first = finished()
    text = (first.run / "tune.toml").read_text()
    edited = tmp_path / "mine.toml"
    edited.write_text(
        text.replace(f'head = "{first.decided.head}"', 'head = "relu2_1"').replace("seed = 0", "seed = 4")
    )
    again = run(name="again", file=edited)
    assert again.architecture.string == "16 M 32 | gap"
    assert again.head_reason == "after relu2_1, as given"
    assert again.decided.seed == 4
