"""An image that a network predicts as another class; this module does not need torch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """An image that was predicted as another class, with the confidence of the prediction in [0, 1]."""

    index: int
    label: str
    predicted: str
    confidence: float
