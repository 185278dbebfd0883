"""Means, intervals, and the conclusion from a difference."""

from dataclasses import replace
from math import inf

import pytest

from verydeep.study.statistics import Contrast, conclusion, difference, estimate, gain_text
from verydeep.study.trial import Outcome


def run(seed, top1):
    return Outcome(
        name=f"{seed}",
        group="",
        variant="",
        seed=seed,
        split=None,
        architecture_string="",
        parameters=1,
        test_top1=top1,
    )


def runs(*accuracies):
    return [run(seed, top1) for seed, top1 in enumerate(accuracies)]


def test_the_interval_is_students():
    # 1, 2, 3: mean 2, s = 1, t(2) = 4.303, so 2 +- 4.303 / sqrt(3)
    mean = estimate([1.0, 2.0, 3.0])
    assert (mean.mean, mean.count) == (2.0, 3)
    assert mean.high - mean.mean == pytest.approx(4.303 / 3**0.5)
    assert mean.mean - mean.low == pytest.approx(4.303 / 3**0.5)


def test_one_value_has_no_interval():
    assert estimate([0.5]).low == -inf
    assert "no interval" in gain_text(estimate([0.01]))


def test_above_21_values_t_is_the_last_of_the_table():
    values = [0.0, 1.0] * 50
    assert estimate(values).high == pytest.approx(0.5 + 2.086 * 0.50252 / 10, abs=1e-4)


def test_a_difference_is_paired_by_seed():
    gain = difference(runs(0.5, 0.7, 0.9), runs(0.4, 0.6, 0.8))
    assert gain.mean == pytest.approx(0.1)
    assert gain.high - gain.low == pytest.approx(0, abs=1e-12)  # the seeds differ, their pairs do not


def test_an_unfinished_run_has_no_pair():
    assert difference(runs(0.5, None), runs(0.4, 0.6)).count == 1
    assert difference(runs(None), runs(0.4)) is None


def test_seeds_in_which_a_run_did_not_learn_are_counted():
    learned, stopped = runs(0.5, 0.6, 0.7, None), runs(0.4, None, 0.6, None)
    stopped = [replace(run, failed="at chance") if run.test_top1 is None else run for run in stopped]
    assert gain_text(difference(learned, stopped)).endswith(", 2 seeds; in 2 more a run did not learn)")
    assert gain_text(difference(learned[:1], stopped)).endswith("no interval; in 2 more a run did not learn)")
    assert gain_text(difference(learned[:3:2], stopped[:3:2])).endswith(", 2 seeds)")


@pytest.mark.parametrize(
    ("variant", "baseline", "start"),
    [
        (
            (0.50, 0.51, 0.50),
            (0.40, 0.40, 0.40),
            "D is significantly better than A (11 and 16 layers): +10.33 points",
        ),
        (
            (0.40, 0.40, 0.40),
            (0.50, 0.51, 0.50),
            "D is significantly worse than A (11 and 16 layers): -10.33 points",
        ),
        (
            (0.40, 0.50, 0.45),
            (0.45, 0.41, 0.48),
            "No significant difference between 11 and 16 layers (A and D): +0.33 points",
        ),
    ],
)
def test_the_conclusion_depends_on_the_interval(variant, baseline, start):
    contrast = Contrast("D", "A", "11 and 16 layers", "better")
    sentence = conclusion(difference(runs(*variant), runs(*baseline)), contrast)
    assert sentence.startswith(start)
    agrees = "significantly better" in start
    assert sentence.endswith("; as in the paper." if agrees else "; the paper found D better.")


def test_a_paper_without_a_difference_is_cited():
    gain = difference(runs(0.50, 0.51, 0.50), runs(0.40, 0.40, 0.40))
    sentence = conclusion(gain, Contrast("E", "D", "16 and 19 layers", "no difference"))
    assert sentence.endswith("; the paper found no difference.")


def test_no_difference_is_no_confirmation():
    contrast = Contrast("E", "D", "16 and 19 layers", "no difference")
    found = conclusion(difference(runs(0.40, 0.50, 0.45), runs(0.41, 0.49, 0.45)), contrast)
    assert " would have been found with a probability of 80 %" in found
    assert found.endswith("; the paper found no difference either.")
    found = conclusion(difference(runs(0.10, 0.90), runs(0.40, 0.45)), contrast)
    assert "the seeds vary so much that no difference would have been found; the paper" in found


def test_one_seed_decides_nothing():
    gain = difference(runs(0.50), runs(0.40))
    sentence = conclusion(gain, Contrast("D", "A", "11 and 16 layers", "no difference"))
    assert sentence == (
        "Not decided by one seed: 11 and 16 layers (A and D): +10.00 points (one seed: no interval)."
    )


def test_without_finished_pairs_there_is_no_conclusion():
    contrast = Contrast("D", "A", "11 and 16 layers", "better")
    assert conclusion(None, contrast) == (
        "Not measured for 11 and 16 layers (A and D): no pair of finished runs."
    )
