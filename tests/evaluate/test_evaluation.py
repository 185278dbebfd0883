"""An evaluation states what follows from its confusion matrix, by hand."""

import numpy as np
import pytest
import torch

from verydeep.errors import DataError, ShapeError
from verydeep.evaluate.calibration import fit_temperature
from verydeep.evaluate.evaluation import ClassScore, evaluate_logits
from verydeep.evaluate.temperature_choice import choose_temperature

CLASSES = ("cat", "dog", "owl", "none")
LABELS = torch.tensor([0, 0, 0, 0, 1, 1, 2])
PREDICTED = torch.tensor([0, 0, 0, 1, 1, 0, 0])


def evaluation(**settings):
    logits = 4 * torch.nn.functional.one_hot(PREDICTED, len(CLASSES)).float()
    return evaluate_logits(logits, LABELS, CLASSES, **settings)


def test_the_confusion_matrix_has_true_classes_in_rows():
    assert evaluation().confusion == ((3, 1, 0, 0), (1, 1, 0, 0), (1, 0, 0, 0), (0, 0, 0, 0))


def test_scores_of_each_class():
    scores = evaluation().scores
    assert scores["cat"] == ClassScore(images=4, predicted=5, correct=3)
    assert (scores["cat"].recall, scores["cat"].precision) == (0.75, 0.6)
    assert scores["cat"].f1 == pytest.approx(6 / 9)
    assert (scores["owl"].recall, scores["owl"].precision, scores["owl"].f1) == (0, None, 0)
    assert (scores["none"].recall, scores["none"].precision, scores["none"].f1) == (0, None, 0)


def test_means_over_classes_leave_out_those_without_images():
    measured = evaluation()
    assert measured.without_images == ("none",)
    assert measured.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert measured.macro_f1 == pytest.approx((6 / 9 + 2 / 4 + 0) / 3)
    assert measured.top1 == pytest.approx(4 / 7)
    assert measured.top5 == 1
    assert measured.per_class == {"cat": 0.75, "dog": 0.5, "owl": 0.0, "none": 0.0}


def test_groups_are_counted_and_a_temperature_is_measured_where_given():
    measured = evaluation(groups=("a", "a", "b", "b", "c", "c", "c"), temperature=2.0)
    assert (measured.images, measured.groups) == (7, 3)
    assert measured.scaled.temperature == 2.0
    of_halved = evaluate_logits(2 * torch.nn.functional.one_hot(PREDICTED, 4).float(), LABELS, CLASSES)
    assert measured.scaled.loss == pytest.approx(of_halved.loss)
    assert measured.scaled.calibration.error == pytest.approx(of_halved.calibration.error)
    assert evaluation().groups is evaluation().scaled is None


@pytest.mark.parametrize("columns", [3, 5])
def test_logits_have_a_column_for_each_class(columns):
    with pytest.raises(ShapeError, match=f"logits are 7 x {columns}, for 7 labels and 4 classes"):
        evaluate_logits(torch.zeros(7, columns), LABELS, CLASSES)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_logits_that_are_not_finite_are_refused_with_one_message(value):
    logits = torch.zeros(7, 4)
    logits[3, 1] = logits[3, 2] = logits[5, 0] = value
    measures = (
        lambda: evaluate_logits(logits, LABELS, CLASSES),
        lambda: fit_temperature(logits, LABELS),
        lambda: choose_temperature(logits.numpy(), LABELS.numpy()),
    )
    for measure in measures:
        with pytest.raises(DataError, match=r"of 2 of 7 images are NaN or infinite, first those at index 3"):
            measure()


def test_the_json_has_what_the_properties_have():
    measured = evaluation(temperature=2.0)
    values = measured.values
    for name in ("top1", "top5", "loss", "balanced_accuracy", "macro_f1", "brier", "images", "groups"):
        assert values[name] == getattr(measured, name)
    assert values["calibration_error"] == measured.calibration.error
    assert values["scaled_loss"] == measured.scaled.loss != values["loss"]
    assert values["scaled_calibration_error"] == measured.scaled.calibration.error
    assert values["precision"] == {"cat": 0.6, "dog": 0.5, "owl": None, "none": None}
    assert values["f1"]["dog"] == 0.5
    assert values["intervals"]["top1"] == (
        measured.intervals["top1"].low,
        measured.intervals["top1"].high,
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [([], "no images; expected"), ([0, 2], "labels 0 to 2; expected"), ([-1], "labels -1")],
)
def test_labels_that_are_no_classes_are_refused(labels, message):
    logits = np.zeros((len(labels), 2), dtype=np.float32)
    with pytest.raises(DataError, match=message):
        evaluate_logits(logits, np.array(labels, dtype=np.int64), ("cat", "dog"))
