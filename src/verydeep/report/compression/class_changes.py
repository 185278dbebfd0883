"""The recall of each class before and after a compression."""

from dataclasses import dataclass

import numpy as np

from verydeep.compress.comparison import Comparison


@dataclass(frozen=True, kw_only=True)
class ClassChange:
    """One class on the images that decide."""

    name: str
    images: int
    before: float
    """Recall of the original in [0, 1]."""
    after: float
    lost: int
    """Images on which only the original is right."""
    won: int
    """Images on which only the result is right."""

    @property
    def change(self) -> float:
        """In [-1, 1]."""
        return self.after - self.before


def class_changes(comparison: Comparison) -> tuple[ClassChange, ...]:
    """The classes that have images, that with the largest loss first.

    Without labels, the class of an image is the one that the original predicts.
    """
    before, after = comparison.before.argmax(1), comparison.after.argmax(1)
    labels = before if comparison.labels is None else comparison.labels
    count = len(comparison.classes)
    images, right_before, right_after, lost, won = (
        np.bincount(labels[chosen], minlength=count).tolist()
        for chosen in (
            labels >= 0,
            before == labels,
            after == labels,
            (before == labels) & (after != labels),
            (before != labels) & (after == labels),
        )
    )
    changes = (
        ClassChange(
            name=name,
            images=images[i],
            before=right_before[i] / images[i],
            after=right_after[i] / images[i],
            lost=lost[i],
            won=won[i],
        )
        for i, name in enumerate(comparison.classes)
        if images[i]
    )
    return tuple(sorted(changes, key=lambda each: (each.change, -each.lost)))
