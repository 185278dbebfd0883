from verydeep.tables.confusion_matrix import class_lines, confusion_matrix

from ..report.runs import evaluation


def test_the_worst_confusion_has_the_full_color_and_none_has_no_color():
    drawn = confusion_matrix(evaluation())
    assert drawn.worst == 0.2
    assert drawn.rows[0][1].heat == 1
    assert drawn.rows[0][2].heat == 0
    assert drawn.rows[0][1].label == "20 of cat predicted as dog (20.0\N{NO-BREAK SPACE}%)"


def test_the_diagonal_is_colored_by_what_was_recognized():
    assert [row[index].heat for index, row in enumerate(confusion_matrix(evaluation()).rows)] == [0.8, 1, 1]
    assert [cell.correct for cell in confusion_matrix(evaluation()).rows[1]] == [False, True, False]


def test_classes_come_least_recognized_first_with_their_rival():
    first, *others = class_lines(evaluation(("owl", "dog", "cat")))
    assert (first.name, first.confused_with, first.confused, first.recall) == ("owl", "dog", 20, 0.8)
    assert [line.confused_with for line in others] == ["", ""]


def test_one_class_has_no_rival():
    (line,) = class_lines(evaluation(("cat",)))
    assert (line.confused_with, line.confused, line.recall) == ("", 0, 1)
    assert confusion_matrix(evaluation(("cat",))).worst == 0
