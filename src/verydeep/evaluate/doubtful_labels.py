"""Labels that a network disagrees with, for a person to look at (Northcutt et al. 2021, confident learning).

A network agrees with a wrong label that it was trained on. Its predictions must therefore be held out: those
of test images, or for each training image those of cross-validation.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64

from verydeep.data.label_file import LabelRow
from verydeep.evaluate.metrics import most_confident_mistakes


def doubtful_labels(
    logits: Float[np.ndarray, "count classes"],
    labels: Int64[np.ndarray, " count"],
    classes: tuple[str, ...],
    names: Sequence[str],
) -> list[LabelRow]:
    """The images whose label is not the predicted class, the most confident prediction first.

    Args:
        logits: of networks that were not trained on the image, divided by their temperature.
        labels: indices into ``classes``.
        classes: their names.
        names: of the images in their data set.
    """
    mistakes = most_confident_mistakes(logits, labels, classes, limit=len(labels))
    return [
        LabelRow(
            path=names[each.index], label=each.label, predicted=each.predicted, confidence=each.confidence
        )
        for each in mistakes
    ]
