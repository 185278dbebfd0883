"""The result of a study: written, read back, and recorded as package data with few points of long curves."""

import json
from itertools import pairwise

import pytest

from verydeep.study.studies import STUDIES
from verydeep.study.study_result import StudyResult, read_result, record_result, recorded_result

from ..report.trainings import epoch
from .outcomes import outcome

KERNEL = STUDIES["kernel"]


def result(epochs):
    curve = tuple(epoch(number) for number in range(1, epochs + 1))
    return StudyResult(
        study=KERNEL,
        dataset="fashion-mnist, all training images, 12 epochs",
        outcomes=tuple(
            outcome(trial, 0.9 + trial.recipe.seed / 1e3, epochs=curve, train_images=60_000, seconds=2.0)
            for trial in KERNEL.trials(True)
        ),
        command="verydeep study kernel --full",
        machine={"processor": "a fast one", "precision": "fp32"},
    )


def test_a_result_is_read_back_as_it_was_written():
    written = result(epochs=12)
    assert read_result(KERNEL, json.dumps(written.to_dict())) == written


def test_a_recorded_curve_has_few_points_and_the_last_one(tmp_path):
    file = record_result(result(epochs=301), tmp_path)
    assert file == tmp_path / "kernel.json"
    recorded = read_result(KERNEL, file.read_text())
    epochs = [each.epoch for each in recorded.outcomes[0].epochs]
    assert len(epochs) <= 60 and epochs[-1] == 301
    assert len({after - before for before, after in pairwise(epochs)}) == 1
    assert recorded.findings == result(epochs=301).findings


@pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
def test_what_comes_with_the_package_is_of_the_trials_of_the_full_study(study):
    recorded = recorded_result(study)
    if recorded is None:  # not run yet
        return
    trials = {trial.name: trial for trial in study.trials(True)}
    assert "--full" in recorded.command and recorded.seconds > 0
    for run in recorded.outcomes:
        trial = trials[run.name]
        assert (run.group, run.variant, run.seed) == (trial.group, trial.variant, trial.recipe.seed)
        if run.epochs:
            assert run.epochs[-1].epoch == trial.recipe.epochs or trial.recipe.early_stopping
    assert len(recorded.findings) >= 1
