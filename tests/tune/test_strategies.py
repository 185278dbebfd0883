"""Each decision on strategies: which are run, why others are skipped, and which is kept."""

import json
import time
from dataclasses import replace
from math import inf
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.train.folders import write_folder
from verydeep.architecture.architecture import Architecture
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.errors import DataError, LearningError
from verydeep.evaluate.evaluation import evaluate_logits
from verydeep.image_sources.samples import Samples
from verydeep.inputs.frozen_features import frozen_features
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.report.tune_page import render_tune
from verydeep.saved_runs.saved_run import read_run
from verydeep.train.run_folder import RunFolder
from verydeep.tune.budget import LEAST_EPOCHS, Plan, Skipped
from verydeep.tune.choice import Candidate, choose
from verydeep.tune.fine_tune import fine_tune, save_plan, saved_plan, train_from_scratch
from verydeep.tune.prepare import TuneWatcher
from verydeep.tune.result import StrategyResult
from verydeep.weight_files.checkpoint_file import load, save

from .conftest import PREPROCESS

CLASSES = ("circle", "square")
NET = Checkpoint(
    build(Architecture.from_string("4 | gap", input=(3, 16, 16), classes=2)), PREPROCESS, CLASSES
)


def held_out(count, groups=None):
    return Samples(
        name="val", sources=tuple(Path(str(i)) for i in range(count)),
        names=tuple(map(str, range(count))), labels=np.arange(count) % 2, classes=CLASSES,
        parts=("val",) * count, groups=groups,
    )  # fmt: skip


def candidate(strategy, val, mistakes):
    """A candidate that is wrong on the held-out images ``mistakes`` alone."""
    logits = 4.0 * functional.one_hot(torch.from_numpy(val.labels), 2)
    logits[list(mistakes)] = logits[list(mistakes)].flip(1)
    result = StrategyResult(
        strategy=strategy, validation=evaluate_logits(logits, val.labels, CLASSES, groups=val.groups),
        test=None, seconds=1.0, forecast_seconds=None, epochs=(), best_epoch=None, note="",
    )  # fmt: skip
    return Candidate(result=result, network=NET, temperature=1.0, val_logits=logits)


def test_a_strategy_that_is_surely_better_is_chosen():
    val = held_out(100)
    probe, other = candidate("linear-probe", val, range(20)), candidate("fine-tune", val, range(5))
    choice = choose(probe, [other], val)
    assert choice.chosen is other
    assert choice.candidates == (probe, other) and choice.skipped == ()
    assert choice.reason.startswith(
        "fine-tuning was better: balanced accuracy 95.0\N{NO-BREAK SPACE}% against 80.0"
    )
    assert "100 training images that were held out, and in 100% of resamples of them" in choice.reason


@pytest.mark.parametrize("mistakes", [range(19), range(20), range(25)], ids=["by one", "equal", "worse"])
def test_the_linear_probe_is_kept_unless_another_is_surely_better(mistakes):
    val = held_out(100)
    probe, other = candidate("linear-probe", val, range(20)), candidate("fine-tune", val, mistakes)
    choice = choose(probe, [other], val)
    assert choice.chosen is probe
    assert choice.reason.startswith("fine-tuning was not surely better: balanced accuracy")
    assert "the linear probe that is kept was trained on these too" in choice.reason


def test_better_on_one_group_alone_is_not_sure():
    """Ten images of one photograph are one draw in ten, not ten: in a third of resamples it is not drawn."""
    single, grouped = held_out(100), held_out(100, tuple(str(i // 10) for i in range(100)))
    for val, is_chosen in ((single, True), (grouped, False)):
        probe, other = candidate("linear-probe", val, range(10)), candidate("fine-tune", val, ())
        assert (choose(probe, [other], val).chosen is other) is is_chosen


@pytest.mark.parametrize("better", ["fine-tune", "scratch"])
def test_of_two_better_strategies_the_surest_is_chosen(better):
    val = held_out(100)
    probe = candidate("linear-probe", val, range(20))
    mistakes = {"fine-tune": range(14), "scratch": range(14)} | {better: range(2)}
    others = [candidate(name, val, mistakes[name]) for name in ("fine-tune", "scratch")]
    choice = choose(probe, others, val)
    assert choice.chosen.result.strategy == better
    name = {"fine-tune": "fine-tuning", "scratch": "training from scratch"}[better]
    assert choice.reason.startswith(f"{name} was better: balanced accuracy 98.0")


def test_a_worse_second_strategy_does_not_displace_a_better_first_one():
    val = held_out(100)
    probe = candidate("linear-probe", val, range(20))
    others = [candidate("fine-tune", val, range(2)), candidate("scratch", val, range(60))]
    assert choose(probe, others, val).chosen is others[0]


def by_name(result):
    return {each.strategy: each for each in result.strategies}


def test_the_linear_probe_alone_is_run_where_it_is_asked_for(finished):
    result = finished()
    assert [each.strategy for each in result.strategies] == ["linear-probe"]
    assert result.chosen == "linear-probe"
    assert result.reason == "the linear probe alone was trained, as asked for"


def test_few_images_skip_fine_tuning_with_the_reason(finished):
    result = finished(strategy="auto")
    assert result.chosen == "linear-probe"
    skipped = by_name(result)["fine-tune"]
    assert skipped.note == (
        "skipped: 77 training images are too few for it; --strategy fine-tune does it all the same"
    )
    assert result.reason == f"fine-tuning was {skipped.note}"
    assert (skipped.validation, skipped.test, skipped.seconds, skipped.epochs) == (None, None, 0.0, ())


def test_a_budget_that_is_too_small_skips_fine_tuning_with_the_budget_that_would_do(run, monkeypatch):
    monkeypatch.setattr("verydeep.tune.strategies.FEW_IMAGES", 50)
    monkeypatch.setattr("verydeep.tune.strategies.measured_speed", lambda model, fabric: 1e6)
    result = run(strategy="auto", budget="60s")
    assert result.chosen == "linear-probe"
    skipped = by_name(result)["fine-tune"]
    assert "fine-tuning the last stage would take" in skipped.note and "--budget " in skipped.note
    assert skipped.forecast_seconds > 60


def test_a_probe_without_a_mistake_on_held_out_images_skips_fine_tuning(run, monkeypatch, tmp_path):
    monkeypatch.setattr("verydeep.tune.strategies.FEW_IMAGES", 10)
    monkeypatch.setattr("verydeep.tune.strategies.balanced_accuracy", lambda logits, labels: 1.0)
    result = run(strategy="auto")
    assert "the linear probe is right on all 19 held-out images: nothing is gained" in result.reason


def test_images_that_cannot_be_held_out_skip_fine_tuning_in_auto_alone(run, tmp_path):
    folder = write_folder(tmp_path / "few", (5, 5, 5))  # of each class one is for training
    result = run(folder, test=0.8, strategy="auto")
    assert "no images can be held out to compare strategies on" in result.reason
    with pytest.raises(DataError, match="none of the 3 images can be held out"):
        run(folder, test=0.8, strategy="fine-tune", name="asked")


def test_auto_fine_tunes_and_compares_where_there_are_images_and_time(run, monkeypatch):
    monkeypatch.setattr("verydeep.tune.strategies.FEW_IMAGES", 50)
    result = run(strategy="auto", budget="1000h", fine_tune__epochs=3)
    strategies = by_name(result)
    assert list(strategies) == ["linear-probe", "fine-tune"]
    assert strategies["fine-tune"].validation.images == strategies["linear-probe"].validation.images == 19
    assert strategies["fine-tune"].note.startswith("all stages trained on from the linear probe; epoch ")
    assert strategies["fine-tune"].forecast_seconds > 0
    is_kept = "the linear probe that is kept" in result.reason
    assert (result.chosen == "linear-probe") is is_kept
    assert "on the 19 training images that were held out" in result.reason


def test_fine_tuning_has_half_of_the_time_where_training_from_scratch_follows(run, monkeypatch):
    left = {}

    def no_time(recipe, architecture, work, seconds, *others):
        left[recipe.seed] = seconds
        return Skipped("no time", 1.0)

    monkeypatch.setattr("verydeep.tune.strategies.plan_fine_tuning", no_time)
    for seed, strategy in enumerate(("fine-tune", "compare")):
        run(strategy=strategy, budget="1000h", seed=seed, name=strategy,
            fine_tune__epochs=1, scratch__epochs=1)  # fmt: skip
    assert left[0] / left[1] == pytest.approx(2, rel=1e-3)


def test_the_reason_why_fine_tuning_is_skipped_is_kept_for_a_resumed_run(tmp_path):
    folder = RunFolder(tmp_path)
    folder.state.parent.mkdir(parents=True)
    for plan in (Skipped("no time", 1.5), Skipped("too few images"), Plan(freeze=1, epochs=3, seconds=2.0)):
        save_plan(plan, folder)
        assert saved_plan(folder) == plan


def test_fine_tuning_that_is_asked_for_is_kept_and_no_worse_than_its_start(run):
    result = run(strategy="fine-tune", budget="none", fine_tune__epochs=4)
    probe, tuned = result.strategies
    assert (probe.strategy, tuned.strategy, result.chosen) == ("linear-probe", "fine-tune", "fine-tune")
    assert result.reason == "the network was fine-tuned from the linear probe, as asked for"
    assert tuned.epochs and tuned.validation.images == probe.validation.images == 19
    assert tuned.validation.balanced_accuracy >= probe.validation.balanced_accuracy  # epoch 0 is the probe
    assert load(result.run).origin["strategy"] == "fine-tune"
    saved, last = read_run(result.run), by_name(result)["fine-tune"].epochs[-1]
    assert (saved.epochs, saved.val_top1, saved.seconds) == (last.epoch, last.val_top1, last.seconds)


def test_fine_tuning_that_is_asked_for_is_run_even_without_the_time(run, monkeypatch):
    monkeypatch.setattr("verydeep.tune.strategies.measured_speed", lambda model, fabric: 1e6)
    result = run(strategy="fine-tune", budget="1s", fine_tune__epochs=2)
    assert by_name(result)["fine-tune"].epochs[-1].epoch == 2


def test_fine_tuning_that_is_asked_for_takes_five_epochs_however_short_its_forecast(run, monkeypatch):
    monkeypatch.setattr("verydeep.tune.strategies.measured_speed", lambda model, fabric: 1e15)
    recorder = Recorder()
    result = run(strategy="fine-tune", budget="1s", fine_tune__epochs=8, watcher=recorder)
    assert by_name(result)["fine-tune"].epochs[-1].epoch == LEAST_EPOCHS == 5
    assert recorder.limits == [inf]


@pytest.mark.parametrize(
    ("freeze", "note"),
    [("auto", "the last stage"), (0, "all stages"), (1, "the last stage"), ("all", "the head")],
)
def test_with_few_images_auto_trains_the_last_stage_and_a_given_freeze_is_kept(finished, freeze, note):
    result = finished(strategy="fine-tune", fine_tune__freeze=freeze, fine_tune__epochs=1, budget="none")
    assert by_name(result)["fine-tune"].note.startswith(f"{note} trained on from the linear probe")
    assert result.decided.fine_tune.freeze == {"auto": 1, "all": 2}.get(freeze, freeze)


def test_training_from_scratch_needs_no_weights(run):
    result = run(
        weights=None, model="8 M 16 M | gap", strategy="scratch", size=16, budget="none", scratch__epochs=2
    )
    (scratch,) = result.strategies
    assert result.chosen == scratch.strategy == "scratch"
    assert result.reason == "the network was trained from scratch, as asked for"
    assert result.features is result.probe is None
    assert scratch.test == result.test
    assert scratch.note == f"all stages trained from random weights; epoch {scratch.best_epoch} of 2 was kept"
    assert result.architecture.string == "8 M 16 M | gap"


def test_training_from_scratch_starts_with_random_weights_whatever_the_weights(run, weights):
    result = run(strategy="scratch", budget="none", scratch__epochs=1, scratch__optimizer__lr=1e-9, seed=3)
    ours, theirs = load(result.run).model, load(weights).model
    assert not torch.allclose(ours.features[0].weight, theirs.features[0].weight, atol=1e-2)


def test_dropout_is_that_of_the_seed_whatever_the_random_state(run, tmp_path):
    hidden = build(Architecture.from_string("8 M | gap 24", input=(3, 16, 16), classes=2))
    assert hidden.architecture.dropout
    save(Checkpoint(hidden.eval(), PREPROCESS, CLASSES), file := tmp_path / "hidden.safetensors")
    heads = []
    for state in (1, 2):
        torch.manual_seed(state)
        result = run(
            weights=str(file), strategy="fine-tune", head="whole", l2=0.01, budget="none",
            fine_tune__epochs=1, fine_tune__keep="last", name=str(state),
        )  # fmt: skip
        heads.append(load(result.run).model.state_dict())
    assert all(torch.equal(heads[0][name], heads[1][name]) for name in heads[0])


def test_all_strategies_are_compared_on_the_same_images(finished):
    result = finished(strategy="compare", budget="none", fine_tune__epochs=3, scratch__epochs=3)
    assert [each.strategy for each in result.strategies] == ["linear-probe", "fine-tune", "scratch"]
    assert {each.validation.images for each in result.strategies} == {19}
    assert {each.test.images for each in result.strategies} == {24}
    for each in result.strategies:
        interval = each.test.intervals["balanced_accuracy"]
        assert interval.low <= each.test.balanced_accuracy <= interval.high
    assert result.test == by_name(result)[result.chosen].test


def test_seconds_are_those_of_the_work(run):
    began = time.perf_counter()
    result = run(strategy="compare", budget="none", fine_tune__epochs=1, scratch__epochs=1)
    elapsed = time.perf_counter() - began
    seconds = [each.seconds for each in result.strategies]
    assert min(seconds) > 0 and sum(seconds) < elapsed
    assert all(0 < each.epochs[-1].seconds < each.seconds for each in result.strategies if each.epochs)


def test_seconds_before_an_interruption_count(run, monkeypatch):
    for name, train in (("fine_tune", fine_tune), ("train_from_scratch", train_from_scratch)):
        monkeypatch.setattr(
            f"verydeep.tune.strategies.{name}",
            lambda *inputs, train=train: replace(train(*inputs), seconds=1000.0),
        )
    result = run(strategy="compare", budget="none", fine_tune__epochs=1, scratch__epochs=1)
    assert [each.seconds for each in result.strategies][1:] == [1000.0, 1000.0]


class Recorder(TuneWatcher):
    """Keeps the images of each training."""

    def __init__(self):
        self.jobs = {}
        self.plans_made = []
        self.limits = []

    def begins(self, job, state):
        self.jobs[job.name] = job

    def plans(self, strategy, images, held_out, seconds):
        self.plans_made.append((strategy, images, held_out))
        self.limits.append(seconds)


def pixels(images):
    return {each.numpy().tobytes() for each in images.pixels}


def test_no_strategy_is_trained_on_validation_or_test_images(run):
    recorder = Recorder()
    run(strategy="compare", budget="none", fine_tune__epochs=1, scratch__epochs=1, watcher=recorder)
    fine_tune, scratch = recorder.jobs["fine-tune"], recorder.jobs["scratch"]
    assert recorder.plans_made == [("fine-tune", 77, 19), ("scratch", 77, 19)]
    assert (len(fine_tune.train), len(fine_tune.val)) == (77, 19)
    assert pixels(fine_tune.train) == pixels(scratch.train)
    assert pixels(fine_tune.val) == pixels(scratch.val)
    assert not pixels(fine_tune.train) & pixels(fine_tune.val)


def test_many_images_are_decoded_in_each_epoch_to_the_same_bits(run, finished, monkeypatch):
    settings = {"strategy": "compare", "budget": "none", "fine_tune__epochs": 3, "scratch__epochs": 3}
    in_memory, recorder = finished(**settings), Recorder()
    monkeypatch.setattr("verydeep.train.start.own_images.MEMORY_LIMIT", 1000)
    streamed = run(**settings, watcher=recorder)
    for job in recorder.jobs.values():
        assert isinstance(job.train, ImagesOnDisk) and isinstance(job.val, ImagesOnDisk)
    for one, other in zip(streamed.strategies, in_memory.strategies, strict=True):
        assert (one.validation, one.test) == (other.validation, other.test)


def test_many_images_are_not_kept_in_memory_for_training_from_scratch(run, tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "shapes", (20, 20, 20))
    (folder / "circle" / "broken.png").write_bytes(b"no image")
    monkeypatch.setattr("verydeep.train.start.own_images.MEMORY_LIMIT", 1000)
    recorder = Recorder()
    result = run(folder, strategy="scratch", budget="none", scratch__epochs=1, watcher=recorder)
    assert isinstance(recorder.jobs["scratch"].train, ImagesOnDisk)
    assert [each.name for each in result.images.unreadable] == ["circle/broken.png"]


def split_folder(folder):
    """A folder of shapes with train, val and test folders."""
    flat = write_folder(folder.with_name(f"{folder.name}-flat"), (20, 20, 20))
    for class_folder in flat.iterdir():
        for number, file in enumerate(sorted(class_folder.iterdir())):
            part = "val" if number < 5 else "test" if number < 8 else "train"
            (folder / part / class_folder.name).mkdir(parents=True, exist_ok=True)
            file.rename(folder / part / class_folder.name / file.name)
    return folder


def test_fine_tuning_and_its_start_do_not_depend_on_the_labels_of_validation_images(run, tmp_path):
    """With two classes of validation images exchanged, only what is measured on them changes."""
    first, second = split_folder(tmp_path / "first"), split_folder(tmp_path / "second")
    val = second / "val"
    (val / "circle").rename(val / "x")
    (val / "square").rename(val / "circle")
    (val / "x").rename(val / "square")
    results = [
        run(folder, strategy="fine-tune", budget="none", l2=0.01, head="pool2", name=f"run-{folder.name}",
            fine_tune__epochs=3, fine_tune__keep="last", fine_tune__early_stopping=0)
        for folder in (first, second)
    ]  # fmt: skip
    losses = [[epoch.train_loss for epoch in by_name(each)["fine-tune"].epochs] for each in results]
    assert losses[0] == losses[1]
    measured = [by_name(each)["fine-tune"].validation.loss for each in results]
    assert measured[0] != measured[1]


def test_the_epochs_of_each_strategy_are_in_the_run_folder(finished):
    result = finished(strategy="compare", budget="none", fine_tune__epochs=2, scratch__epochs=3)
    for strategy in ("fine-tune", "scratch"):
        lines = (result.run / f"metrics-{strategy}.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == [
            e.epoch for e in by_name(result)[strategy].epochs
        ]


@pytest.mark.parametrize(
    ("strategy", "fixes"),
    [
        ("fine-tune", r"lower the learning rate \(--fine-tune\.optimizer\.lr 1e\+29\); check that images"),
        ("scratch", r"add batch norm \(--scratch\.norm batch\); lower the learning rate \(--scratch\.optim"),
    ],
)
def test_training_that_diverges_is_an_error_with_flags_of_this_command(run, strategy, fixes):
    changes = {f"{strategy.replace('-', '_')}.optimizer.lr": 1e30, "scratch.norm": "none"}
    with pytest.raises(LearningError, match=rf"training diverged.*Likely fixes: {fixes}"):
        run(strategy=strategy, budget="none", **changes)


def test_a_strategy_that_does_not_learn_leaves_the_others(run):
    result = run(strategy="compare", budget="none", **{"scratch.optimizer.lr": 1e30, "scratch.norm": "none"})
    names = by_name(result)
    assert result.chosen in ("linear-probe", "fine-tune")
    assert names["fine-tune"].validation is not None
    assert names["scratch"].validation is None and names["scratch"].seconds > 0
    assert names["scratch"].note.startswith("did not learn: ") and "diverged" in names["scratch"].note
    assert "Did not learn: " in render_tune(result, command="verydeep tune photos/")


@pytest.fixture
def no_room(monkeypatch):
    """No feature maps in memory, and a full disk."""
    full = SimpleNamespace(disk_usage=lambda folder: SimpleNamespace(free=0))
    monkeypatch.setattr("verydeep.inputs.frozen_features.shutil", full)
    monkeypatch.setattr(
        "verydeep.train.run.frozen_features",
        lambda *inputs, **options: frozen_features(*inputs, **options | {"memory_limit": 0}),
    )


@pytest.mark.parametrize("strategy", ["auto", "compare"])
def test_without_room_for_feature_maps_the_linear_probe_is_kept_with_the_reason(
    run, monkeypatch, no_room, strategy
):
    monkeypatch.setattr("verydeep.tune.strategies.FEW_IMAGES", 50)
    settings = {"fine_tune__freeze": 1, "fine_tune__epochs": 1, "scratch__epochs": 1}
    result = run(strategy=strategy, budget="none", **settings)
    tuned = by_name(result)["fine-tune"]
    assert tuned.note.startswith("could not be trained: the feature maps of ") and not tuned.epochs
    if strategy == "auto":
        assert result.chosen == "linear-probe" and result.reason == f"fine-tuning {tuned.note}"
    assert "Could not be trained: " in render_tune(result, command="verydeep tune photos/")


def test_without_room_for_feature_maps_fine_tuning_that_is_asked_for_is_an_error(run, no_room):
    with pytest.raises(DataError, match="the feature maps of"):
        run(strategy="fine-tune", budget="none", fine_tune__epochs=1)


def test_where_nothing_but_the_linear_probe_learns_it_is_kept_with_the_reason(run):
    diverging = {"fine_tune.optimizer.lr": 1e30, "scratch.optimizer.lr": 1e30, "scratch.norm": "none"}
    result = run(strategy="compare", budget="none", **diverging)
    assert result.chosen == "linear-probe"
    assert result.reason.startswith("fine-tuning did not learn: ") and "from scratch did not" in result.reason
