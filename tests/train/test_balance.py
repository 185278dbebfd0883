"""Which method against class imbalance is taken."""

import pytest

from verydeep.errors import DataError
from verydeep.train.balance import resolve_balance

METHODS = ("none", "logit-adjust", "weights", "sampler")


@pytest.mark.parametrize(
    ("sizes", "method"),
    [((30, 10), "none"), ((31, 10), "logit-adjust"), ((1, 1), "none"), ((5, 0), "logit-adjust")],
)
def test_auto_adjusts_logits_above_three_to_one(sizes, method):
    assert resolve_balance(sizes) == method


@pytest.mark.parametrize("wanted", METHODS)
def test_a_given_method_is_used(wanted):
    assert resolve_balance((900, 90, 10), wanted) == wanted


def test_no_images_at_all_are_refused():
    with pytest.raises(DataError, match="none of the 2 classes has an image"):
        resolve_balance([0, 0])
