"""The result of a study: written, read back, and recorded as package data with few points of long curves."""

import json
from itertools import pairwise

import pytest

from verydeep.study.studies import STUDIES
from verydeep.study.study_result import (
    StudyResult,
    read_result,
    record_result,
    recorded_result,
    study_result,
)

from ..report.trainings import epoch
from .outcomes import outcome

KERNEL, OVERFITTING = STUDIES["kernel"], STUDIES["overfitting"]


def result(study, epochs):
    """Of curves that rise and then fall, the highest point on an epoch that a thinned curve lacks."""
    curve = tuple(
        epoch(number, val_top1=0.9 if number == 2 else 0.8 - number / 1e4) for number in range(1, epochs + 1)
    )
    outcomes = tuple(
        outcome(trial, 0.9 + trial.recipe.seed / 1e3, epochs=curve, train_images=60_000, seconds=2.0)
        for trial in study.trials(True)
    )
    return StudyResult(
        study=study,
        dataset="fashion-mnist, all training images, 12 epochs",
        outcomes=outcomes,
        findings=study.conclude(outcomes),
        command=f"verydeep study {study.name} --full",
        machine={"processor": "a fast one", "precision": "fp32"},
    )


def test_a_result_is_read_back_as_it_was_written():
    written = result(KERNEL, epochs=12)
    assert read_result(KERNEL, json.dumps(written.to_dict())) == written


def test_a_recorded_curve_has_few_points_and_its_findings_are_those_of_all_points(tmp_path):
    written = result(OVERFITTING, epochs=301)
    file = record_result(written, tmp_path)
    assert file == tmp_path / "overfitting.json"
    recorded = read_result(OVERFITTING, file.read_text())
    epochs = [each.epoch for each in recorded.outcomes[0].epochs]
    assert len(epochs) <= 60 and epochs[-1] == 301 and 2 not in epochs
    assert len({after - before for before, after in pairwise(epochs)}) == 1
    assert recorded.findings == written.findings
    assert "is highest after epoch 2, 90.0 % in the mean" in recorded.findings[0]


def test_a_result_says_which_images_and_how_many_epochs_and_the_flags():
    study = STUDIES["transfer"]
    outcomes = {
        trial.name: outcome(trial, 0.9, epochs=(epoch(20),) if trial.images_per_class == 5 else (epoch(500),))
        for trial in study.trials(True)
    }
    found = study_result(study, "fashion-mnist", 60_000, study.trials(True), outcomes, "cpu", ["--full"])
    assert (
        found.dataset
        == "fashion-mnist, 5 to 500 training images a class or all training images, 20 to 500 epochs"
    )
    assert found.command == "verydeep study transfer --data fashion-mnist --full"


@pytest.mark.parametrize(
    ("images", "text"), [(2_000, "all training images"), (60_000, "6,000 of the training images")]
)
def test_a_data_set_with_fewer_images_than_a_trial_asks_for_is_used_whole(images, text):
    study = STUDIES["head"]
    outcomes = {trial.name: outcome(trial, 0.9) for trial in study.trials(False)}
    assert study_result(study, "a", images, study.trials(False), outcomes, "cpu").dataset == f"a, {text}"


RECORDED = [study for study in STUDIES.values() if recorded_result(study) is not None]


@pytest.mark.parametrize("study", RECORDED, ids=[study.name for study in RECORDED])
def test_what_comes_with_the_package_is_of_the_trials_of_the_full_study(study):
    recorded = recorded_result(study)
    trials = {trial.name: trial for trial in study.trials(True)}
    assert "--full" in recorded.command and recorded.seconds > 0
    for run in recorded.outcomes:
        trial = trials[run.name]
        assert (run.group, run.variant, run.seed) == (trial.group, trial.variant, trial.recipe.seed)
        if run.epochs and not run.failed:  # the study of gradients has steps, and no epochs
            assert run.epochs[-1].epochs == trial.recipe.epochs or trial.recipe.epochs == "auto"
