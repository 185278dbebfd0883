"""The confusion matrix, ready to be drawn, and one line per class with its most frequent confusion."""

from dataclasses import dataclass

from verydeep.evaluate.evaluation import ClassScore, Evaluation
from verydeep.number_format import percent, thousands

_WIDTH, _LETTER = 880, 7.5  # px of all columns on a wide screen, and of a letter of their heads


@dataclass(frozen=True, slots=True)
class Cell:
    """Images of one class that were predicted as one class; ``heat`` in [0, 1] is the color's strength."""

    column: int
    """Index of the predicted class."""
    count: int
    heat: float
    correct: bool
    label: str
    """The tooltip of the cell."""


@dataclass(frozen=True)
class ConfusionMatrix:
    """Cells of the confusion matrix: rows are the true classes, columns the predicted ones."""

    classes: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def has_room(self) -> bool:
        """Whether the names fit above their columns on a wide screen without being rotated."""
        return max(map(len, self.classes)) * _LETTER <= _WIDTH / len(self.classes)


@dataclass(frozen=True, kw_only=True)
class ClassLine(ClassScore):
    """One class: its score, and the class that it is most often confused with."""

    name: str
    confused_with: str
    """The wrong class that was predicted most often; empty where there is no mistake."""
    confused: int
    """Images that were predicted as ``confused_with``."""


def confusion_matrix(evaluation: Evaluation) -> ConfusionMatrix:
    """The counts with their colors.

    Correct predictions and mistakes are colored alike, by the square root of their share of the true class:
    3 mistakes are paler than 22 correct predictions, and a confusion of 1 % is still visible.
    """
    classes = tuple(evaluation.per_class)
    shares = [[count / max(sum(row), 1) for count in row] for row in evaluation.confusion]

    def cell(true: int, predicted: int) -> Cell:
        count, share = evaluation.confusion[true][predicted], shares[true][predicted]
        return Cell(
            column=predicted,
            count=count,
            heat=share**0.5,
            correct=true == predicted,
            label=f"{thousands(count)} of {classes[true]} predicted as {classes[predicted]} "
            f"({percent(share, 1)})",
        )

    indices = range(len(classes))
    return ConfusionMatrix(classes, tuple(tuple(cell(i, j) for j in indices) for i in indices))


def class_lines(evaluation: Evaluation) -> tuple[ClassLine, ...]:
    """Each class, the lowest recall first."""
    lines = (_class_line(evaluation, index) for index in range(len(evaluation.per_class)))
    return tuple(sorted(lines, key=lambda line: line.recall))


def _class_line(evaluation: Evaluation, index: int) -> ClassLine:
    name, score = list(evaluation.scores.items())[index]
    confused, confused_with = max(
        (
            (count, other)
            for count, other in zip(evaluation.confusion[index], evaluation.scores, strict=True)
            if other != name
        ),
        key=lambda pair: pair[0],
        default=(0, ""),
    )
    return ClassLine(
        name=name,
        images=score.images,
        predicted=score.predicted,
        correct=score.correct,
        confused_with=confused_with if confused else "",
        confused=confused,
    )
