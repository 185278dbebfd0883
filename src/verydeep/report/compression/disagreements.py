"""The images on which the original and the result of a compression predict different classes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64

from verydeep.compress.comparison import Comparison
from verydeep.probabilities import softmax
from verydeep.report.pictures import data_uri, is_crisp

MAX_PICTURES = 24

Right = Literal["original", "result", "neither", "unknown"]
"""Which of the two networks predicts the true class."""
ORDER: tuple[Right, ...] = ("original", "result", "neither", "unknown")


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One image with both predictions; confidences are in [0, 1]."""

    number: int
    """Of the image among those that decide, from 1 on."""
    right: Right
    label: str | None
    before: str
    before_confidence: float
    after: str
    after_confidence: float
    uri: str
    is_crisp: bool


@dataclass(frozen=True, kw_only=True)
class Disagreements:
    """All of them counted, some of them shown."""

    counts: dict[Right, int]
    """Images by which network is right."""
    images: int
    """All that were compared."""
    shown: tuple[Disagreement, ...]

    @property
    def total(self) -> int:
        """Images on which the two differ."""
        return sum(self.counts.values())

    @property
    def text(self) -> str:
        """How many there are, and which are shown."""
        total, images = self.total, f"{self.images:,} images that decided"
        if not total:
            return f"None: both predict the same class for all {images}."
        whole = f"{total:,} of the {images}"
        if not self.counts["unknown"]:
            parts = (
                (self.counts["original"], "only the original is right"),
                (self.counts["result"], "only the result is right"),
                (self.counts["neither"], "neither is"),
            )
            whole += ": " + ", ".join(f"on {count:,} {which}" for count, which in parts)
        some = f" {len(self.shown)} of them are shown." if len(self.shown) < total else ""
        return f"{whole}.{some} Confidences are without temperature scaling."


def disagreements(comparison: Comparison, limit: int = MAX_PICTURES) -> Disagreements:
    """The disagreements of both networks, at most ``limit`` of them as pictures.

    Those on which only the original is right come first, then those on which only the result is; among
    these, those of which the result is surest.
    """
    before, after = (softmax(each) for each in (comparison.before, comparison.after))
    first, second = before.argmax(1), after.argmax(1)
    differ = np.flatnonzero(first != second)
    right = {int(i): _right(comparison, first, second, int(i)) for i in differ}
    ordered = sorted(right, key=lambda i: (ORDER.index(right[i]), -float(after[i].max())))

    def shown(i: int) -> Disagreement:
        image, labels = comparison.pixels[i], comparison.labels
        return Disagreement(
            number=i + 1,
            right=right[i],
            label=None if labels is None else comparison.classes[int(labels[i])],
            before=comparison.classes[first[i]],
            before_confidence=float(before[i].max()),
            after=comparison.classes[second[i]],
            after_confidence=float(after[i].max()),
            uri=data_uri(image),
            is_crisp=is_crisp(image),
        )

    return Disagreements(
        counts={kind: sum(each == kind for each in right.values()) for kind in ORDER},
        images=len(first),
        shown=tuple(map(shown, ordered[:limit])),
    )


def _right(
    comparison: Comparison, before: Int64[np.ndarray, " count"], after: Int64[np.ndarray, " count"], i: int
) -> Right:
    if comparison.labels is None:
        return "unknown"
    label = int(comparison.labels[i])
    return "original" if before[i] == label else "result" if after[i] == label else "neither"
