"""Images on which two networks differ: all are counted, the losses are shown first."""

from verydeep.report.compression.disagreements import disagreements

from .compressions import comparison, logits


def test_losses_come_first_then_gains_then_images_on_which_both_are_wrong():
    found = disagreements(comparison())
    assert [(each.number, each.right) for each in found.shown] == [
        (1, "original"), (2, "original"), (3, "original"), (16, "result"), (10, "neither"),
    ]  # fmt: skip
    first = found.shown[0]
    assert (first.label, first.before, first.after) == ("cat", "cat", "dog")
    assert round(first.before_confidence, 6) == round(first.after_confidence, 6) == 0.9
    assert found.total == 5
    assert found.text.startswith(
        "5 of the 20 images that decided: on 3 only the original is right, on 1 only the result is right, on "
        "1 neither is."
    )
    assert "are shown" not in found.text


def test_the_surest_mistakes_are_shown_where_there_are_too_many():
    shown = comparison((0,) * 3, (0,) * 3, (1, 1, 2))
    shown.after[1] = logits((1,), 3, 0.99)[0]
    found = disagreements(shown, limit=2)
    assert [each.number for each in found.shown] == [2, 1]
    assert found.total == 3 and "2 of them are shown." in found.text


def test_without_labels_nobody_is_right():
    found = disagreements(comparison(labels=None))
    assert {each.right for each in found.shown} == {"unknown"}
    assert all(each.label is None for each in found.shown)
    assert found.text.startswith("5 of the 20 images that decided. ")


def test_equal_predictions_are_no_disagreement():
    found = disagreements(comparison(after=(0,) * 9 + (1,) + (1,) * 5 + (2,) + (2,) * 4))
    assert found.shown == () and found.total == 0
    assert found.text == "None: both predict the same class for all 20 images that decided."


def test_thousands_of_images_are_counted_and_few_shown():
    found = disagreements(comparison((0,) * 3_000, (0,) * 3_000, (1,) * 3_000))
    assert found.total == 3_000 and len(found.shown) == 24
    assert "3,000 of the 3,000 images" in found.text
