"""The confusion matrix with its colors, and the most frequent confusion of each class."""

from dataclasses import replace

import pytest

from verydeep.tables.confusion_matrix import class_lines, confusion_matrix

from ..report.evaluations import evaluation, one_class


def test_mistakes_and_correct_predictions_are_colored_alike_by_their_share():
    matrix = confusion_matrix(evaluation())
    assert [cell.heat for cell in matrix.rows[0]] == pytest.approx([0.8**0.5, 0.2**0.5, 0])
    assert matrix.rows[0][1].label == "20 of cat predicted as dog (20.0\N{NO-BREAK SPACE}%)"
    assert [cell.column for cell in matrix.rows[0]] == [0, 1, 2]


def test_a_smaller_confusion_is_colored_by_the_square_root_of_its_share():
    matrix = confusion_matrix(evaluation(((75, 20, 5), (0, 100, 0), (0, 0, 100))))
    assert matrix.rows[0][2].heat == pytest.approx(0.05**0.5)


def test_the_diagonal_is_correct():
    rows = confusion_matrix(evaluation()).rows
    assert [row[index].heat for index, row in enumerate(rows)] == pytest.approx([0.8**0.5, 1, 1])
    assert [cell.correct for cell in rows[1]] == [False, True, False]


def test_the_class_with_the_lowest_recall_is_first_with_its_confusion():
    first, *others = class_lines(evaluation(classes=("owl", "dog", "cat")))
    assert (first.name, first.confused_with, first.confused, first.recall) == ("owl", "dog", 20, 0.8)
    assert [line.confused_with for line in others] == ["", ""]


def test_one_class_is_confused_with_none():
    (line,) = class_lines(one_class())
    assert (line.confused_with, line.confused, line.recall) == ("", 0, 1)
    assert confusion_matrix(one_class()).rows[0][0].heat == 1


def test_heads_are_rotated_only_where_there_is_no_room():
    assert confusion_matrix(evaluation()).has_room
    matrix = confusion_matrix(evaluation())
    assert replace(matrix, classes=("Ankle boot",) * 10).has_room
    assert not replace(matrix, classes=("Ankle boot",) * 15).has_room
    assert not replace(matrix, classes=("a name that is longer than its column",) * 4).has_room
