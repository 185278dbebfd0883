from verydeep.tables.confusion_matrix import class_lines, matrix

from ..report.runs import evaluation


def test_the_worst_confusion_has_the_full_color_and_none_has_no_color():
    drawn = matrix(evaluation())
    assert drawn.worst == 0.2
    assert drawn.rows[0][1].heat == 1
    assert drawn.rows[0][2].heat == 0
    assert drawn.rows[0][1].label == "20 of cat taken for dog (20.0\N{NO-BREAK SPACE}%)"


def test_the_diagonal_is_colored_by_what_was_recognized():
    assert [row[index].heat for index, row in enumerate(matrix(evaluation()).rows)] == [0.8, 1, 1]
    assert [cell.right for cell in matrix(evaluation()).rows[1]] == [False, True, False]


def test_classes_come_least_recognized_first_with_their_rival():
    first, *others = class_lines(evaluation(("owl", "dog", "cat")))
    assert (first.name, first.rival, first.lost, first.recall) == ("owl", "dog", 20, 0.8)
    assert [line.rival for line in others] == ["", ""]


def test_one_class_has_no_rival():
    (line,) = class_lines(evaluation(("cat",)))
    assert (line.rival, line.lost, line.recall) == ("", 0, 1)
    assert matrix(evaluation(("cat",))).worst == 0
