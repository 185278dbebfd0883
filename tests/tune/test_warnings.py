"""What is said of a tuning, and what is not."""

from dataclasses import replace

from tests.report.tunings import score, tuning
from verydeep.tune.warnings import advice


def test_a_test_without_a_mistake_is_not_taken_for_certain(tmp_path):
    """13 images, all right: Wilson's interval begins at 77 %, though draws of them give it no width."""
    flawless = replace(score(1.0, 1.0, 1.0), images=13)
    said = " ".join(advice(tuning(tmp_path, test_score=flawless)))
    assert "further apart than chance explains" not in said
    assert "leaves open whether balanced accuracy is 77% or 100%" in said
    many = replace(flawless, images=1000)
    assert "leaves open" not in " ".join(advice(tuning(tmp_path, test_score=many)))
