"""Which classes are taken for which: the cells of the confusion matrix, and one line a class."""

from dataclasses import dataclass

from verydeep.evaluate.metrics import ClassScore, Evaluation
from verydeep.tables.format import percent, thousands


@dataclass(frozen=True, slots=True)
class Cell:
    """Images of one class taken for one class; ``heat`` in [0, 1] is how strongly it is colored."""

    column: int
    """Place of the class it was taken for."""
    count: int
    heat: float
    right: bool
    label: str
    """What the cell says when pointed at."""


@dataclass(frozen=True)
class Matrix:
    """The confusion matrix, ready to be drawn: rows are the true classes, columns the predicted ones."""

    classes: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    worst: float
    """The largest part of a class that was taken for one other class: where the color is full."""


@dataclass(frozen=True, kw_only=True)
class ClassLine(ClassScore):
    """One class: how much of it was recognized, and what it was most often taken for."""

    name: str
    rival: str
    """The class it was most often taken for; empty where every image was recognized."""
    lost: int
    """Images taken for the rival."""


def matrix(evaluation: Evaluation) -> Matrix:
    """The counts with their colors.

    A mistake is colored by the square root of its share of the true class, relative to the worst: a
    confusion of 1 % still shows beside one of 15 %, and beside the diagonal, which has its own color.
    """
    classes = tuple(evaluation.per_class)
    shares = [[count / max(sum(row), 1) for count in row] for row in evaluation.confusion]
    worst = max((share for i, row in enumerate(shares) for j, share in enumerate(row) if i != j), default=0.0)

    def cell(true: int, taken: int) -> Cell:
        count, share = evaluation.confusion[true][taken], shares[true][taken]
        return Cell(
            column=taken,
            count=count,
            heat=share if true == taken else (share / (worst or 1.0)) ** 0.5,
            right=true == taken,
            label=f"{thousands(count)} of {classes[true]} taken for {classes[taken]} ({percent(share, 1)})",
        )

    places = range(len(classes))
    return Matrix(classes, tuple(tuple(cell(i, j) for j in places) for i in places), worst)


def class_lines(evaluation: Evaluation) -> tuple[ClassLine, ...]:
    """Each class, the least recognized first."""
    lines = (_class_line(evaluation, place) for place in range(len(evaluation.per_class)))
    return tuple(sorted(lines, key=lambda line: line.recall))


def _class_line(evaluation: Evaluation, place: int) -> ClassLine:
    name, score = list(evaluation.scores.items())[place]
    lost, rival = max(
        (
            (count, other)
            for count, other in zip(evaluation.confusion[place], evaluation.scores, strict=True)
            if other != name
        ),
        key=lambda pair: pair[0],
        default=(0, ""),
    )
    return ClassLine(
        name=name,
        images=score.images,
        taken=score.taken,
        right=score.right,
        rival=rival if lost else "",
        lost=lost,
    )
