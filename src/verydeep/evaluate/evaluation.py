"""Everything that is measured of a network on labeled images, as one value for all tables and pages."""

from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from verydeep.errors import DataError, ShapeError
from verydeep.evaluate.bootstrap import confidence_intervals
from verydeep.evaluate.calibration import (
    Calibration,
    TemperatureScaling,
    measure_calibration,
    scale_temperature,
)
from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.coverage import Coverage, measure_coverage
from verydeep.evaluate.metrics import brier_score
from verydeep.probabilities import require_finite


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """One class in counts of images, with recall, precision and F1 in [0, 1]."""

    images: int
    """Images of the class."""
    predicted: int
    """Images that were predicted as the class, correctly or not."""
    correct: int
    """Images of the class that were predicted as the class."""

    @property
    def recall(self) -> float:
        """Correct predictions per image of the class; 0 for a class without images."""
        return self.correct / max(self.images, 1)

    @property
    def precision(self) -> float | None:
        """Correct predictions per prediction of the class; None where it was never predicted."""
        return self.correct / self.predicted if self.predicted else None

    @property
    def f1(self) -> float:
        """The harmonic mean of both, 2 correct / (images + predicted); 0 where nothing is correct."""
        return 2 * self.correct / max(self.images + self.predicted, 1)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A network measured on labeled images. Accuracies are in [0, 1], the loss in nats per image."""

    images: int
    groups: int | None
    """How many groups of images that are alike, for the intervals; None where images are independent."""
    confusion: tuple[tuple[int, ...], ...]
    """The confusion matrix: rows are true classes, columns predicted classes; counts of images."""
    per_class: dict[str, float]
    """The recall of each class."""
    intervals: dict[str, Interval]
    """Of top1, top5, loss, balanced_accuracy and macro_f1: the values with their 95 % intervals."""
    brier: float
    """Brier score, from 0 (best) to 2."""
    calibration: Calibration
    """Confidence against accuracy, and the expected calibration error."""
    scaled: TemperatureScaling | None = None
    """The same after temperature scaling; None where no temperature was fitted."""

    coverage: tuple[Coverage, ...] = ()
    """What `predict --reject-below` costs and gains at several thresholds, after temperature scaling."""

    @property
    def top1(self) -> float:
        """Accuracy."""
        return self.intervals["top1"].value

    @property
    def top5(self) -> float:
        """Top-5 accuracy; of ``min(5, classes)``."""
        return self.intervals["top5"].value

    @property
    def loss(self) -> float:
        """Mean cross-entropy."""
        return self.intervals["loss"].value

    @cached_property
    def scores(self) -> dict[str, ClassScore]:
        """Recall, precision and F1 of each class."""
        predicted = [sum(column) for column in zip(*self.confusion, strict=True)]
        return {
            name: ClassScore(images=sum(row), predicted=predicted[index], correct=row[index])
            for index, (name, row) in enumerate(zip(self.per_class, self.confusion, strict=True))
        }

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes: each counts the same, however few images it has.

        A class without images is left out, here and in ``macro_f1``.
        """
        return fmean(score.recall for score in self.scores.values() if score.images)

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes."""
        return fmean(score.f1 for score in self.scores.values() if score.images)

    @property
    def without_images(self) -> tuple[str, ...]:
        """The classes without images, of which nothing was measured."""
        return tuple(name for name, score in self.scores.items() if not score.images)

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        scaled = self.scaled
        return {
            "top1": self.top1,
            "top5": self.top5,
            "loss": self.loss,
            "per_class": self.per_class,
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "brier": self.brier,
            "calibration_error": self.calibration.error,
            "temperature": scaled and scaled.temperature,
            "scaled_loss": scaled and scaled.loss,
            "scaled_calibration_error": scaled and scaled.calibration.error,
            "coverage": [asdict(each) for each in self.coverage],
            "intervals": {name: (each.low, each.high) for name, each in self.intervals.items()},
            "precision": {name: score.precision for name, score in self.scores.items()},
            "f1": {name: score.f1 for name, score in self.scores.items()},
            "confusion": self.confusion,
            "without_images": self.without_images,
            "images": self.images,
            "groups": self.groups,
        }


def evaluate_logits(
    logits: Float[Any, "count classes"],
    labels: Int64[Any, " count"],
    classes: tuple[str, ...],
    *,
    groups: tuple[str, ...] | None = None,
    temperature: float | None = None,
) -> Evaluation:
    """Everything that is measured of one set of predictions.

    Args:
        logits: of each image, as an array, or a tensor on the CPU without gradients.
        labels: indices into ``classes``.
        classes: their names.
        groups: one per image; the images of a group are alike, and the intervals wider.
        temperature: from ``fit_temperature`` on other images than these.

    Raises:
        ShapeError: where there is not one logit for each image and class.
        DataError: where there are no images, a label is no index of a class, or a logit is NaN or infinite.
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.shape != (len(labels), len(classes)):
        given = " x ".join(map(str, logits.shape))
        raise ShapeError(
            f"logits are {given}, for {len(labels):,} labels and {len(classes):,} classes; expected "
            f"{len(labels)} x {len(classes)}. Give the classes of the network, in the order of its logits"
        )
    if not len(labels) or not 0 <= labels.min() <= labels.max() < len(classes):
        found = f"labels {labels.min()} to {labels.max()}" if len(labels) else "no images"
        raise DataError(f"{found}; expected images with labels from 0 to {len(classes) - 1}")
    require_finite(logits)
    confusion = _confusion_matrix(labels, logits.argmax(1), len(classes))
    recalls = confusion.diagonal() / np.maximum(confusion.sum(1), 1)
    return Evaluation(
        images=len(labels),
        groups=None if groups is None else len(set(groups)),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        per_class=dict(zip(classes, recalls.tolist(), strict=True)),
        intervals=confidence_intervals(logits, labels, groups),
        brier=brier_score(logits, labels),
        calibration=measure_calibration(logits, labels),
        scaled=None if temperature is None else scale_temperature(logits, labels, temperature),
        coverage=measure_coverage(logits / (temperature or 1.0), labels),
    )


def _confusion_matrix(
    labels: Int64[np.ndarray, " count"], predicted: Int64[np.ndarray, " count"], classes: int
) -> Int64[np.ndarray, "classes classes"]:
    """Counts of images: rows are true classes, columns predicted ones."""
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)
