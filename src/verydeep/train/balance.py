"""Which method against class imbalance a recipe asks for (``class_imbalance.py`` has the methods)."""

from collections.abc import Sequence
from typing import Literal

from verydeep.errors import DataError

BalanceMethod = Literal["none", "logit-adjust", "weights", "sampler"]
Balance = Literal["auto", "none", "logit-adjust", "weights", "sampler"]
"""auto is logit-adjust for imbalanced classes, else none."""

IMBALANCED = 3.0
"""For auto, classes are imbalanced if the largest has more than so many times the images of the smallest."""


def resolve_balance(sizes: Sequence[int], balance: Balance = "auto") -> BalanceMethod:
    """The method that ``balance`` stands for, for classes with so many training images.

    A class without images counts as one image.

    Raises:
        DataError: where no class has an image.
    """
    if not any(sizes):
        raise DataError(f"none of the {len(sizes)} classes has an image to train on")
    if balance != "auto":
        return balance
    return "logit-adjust" if max(sizes) > IMBALANCED * max(1, min(sizes)) else "none"
