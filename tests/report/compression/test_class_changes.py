"""Recall of each class before and after: counted by hand."""

import pytest

from verydeep.report.compression.class_changes import class_changes

from .compressions import comparison


def test_the_class_with_the_largest_loss_comes_first():
    cat, owl, dog = class_changes(comparison())
    assert [each.name for each in (cat, owl, dog)] == ["cat", "owl", "dog"]
    assert (cat.images, cat.before, cat.after) == (10, 0.9, 0.6)
    assert cat.change == pytest.approx(-0.3)
    assert (cat.lost, cat.won) == (3, 0)
    assert (dog.before, dog.after, dog.lost, dog.won) == (5 / 6, 1.0, 0, 1)
    assert (owl.change, owl.lost, owl.won) == (0, 0, 0)


def test_without_labels_the_class_is_that_of_the_original():
    changes = {each.name: each for each in class_changes(comparison(labels=None))}
    assert all(each.before == 1 and each.won == 0 for each in changes.values())
    assert changes["cat"].images == 9 and changes["cat"].after == 6 / 9


def test_a_class_without_images_is_left_out_and_one_never_right_stays_at_zero():
    changes = class_changes(comparison((0, 0, 1), (1, 1, 1), (1, 1, 1)))
    assert [(each.name, each.before, each.change) for each in changes] == [("cat", 0, 0), ("dog", 1, 0)]
