"""Means, intervals, and what is said of a difference."""

from math import inf

import pytest

from verydeep.study.statistics import difference, estimate, points, verdict
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
    ours = estimate([1.0, 2.0, 3.0])
    assert (ours.mean, ours.count) == (2.0, 3)
    assert ours.high - ours.mean == pytest.approx(4.303 / 3**0.5)
    assert ours.mean - ours.low == pytest.approx(4.303 / 3**0.5)


def test_one_value_has_no_interval():
    assert estimate([0.5]).low == -inf
    assert "no interval" in points(estimate([0.01]))


def test_many_values_take_the_last_of_the_table():
    values = [0.0, 1.0] * 50
    assert estimate(values).high == pytest.approx(0.5 + 2.086 * 0.50252 / 10, abs=1e-4)


def test_a_difference_is_paired_by_seed():
    gain = difference(runs(0.5, 0.7, 0.9), runs(0.4, 0.6, 0.8))
    assert gain.mean == pytest.approx(0.1)
    assert gain.high - gain.low == pytest.approx(0, abs=1e-12)  # the seeds differ, their pairs do not


def test_a_run_that_did_not_finish_makes_no_pair():
    assert difference(runs(0.5, None), runs(0.4, 0.6)).count == 1
    assert difference(runs(None), runs(0.4)) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ((0.50, 0.51, 0.50), (0.40, 0.40, 0.40), "Depth helps, +10.33 points"),
        ((0.40, 0.40, 0.40), (0.50, 0.51, 0.50), "Depth hurts, -10.33 points"),
        ((0.40, 0.50, 0.45), (0.45, 0.41, 0.48), "Depth makes no difference that these runs can show"),
    ],
)
def test_what_is_said_follows_the_interval(ours, theirs, said):
    sentence = verdict(difference(runs(*ours), runs(*theirs)), "Depth", "helps")
    assert sentence.startswith(said)
    agrees = "Depth helps" in said
    assert sentence.endswith("as in the paper" if agrees else "in the paper it helps")


def test_what_was_not_measured_is_not_claimed():
    assert verdict(None, "Depth", "helps") == "Depth: not measured, for want of a finished pair"
