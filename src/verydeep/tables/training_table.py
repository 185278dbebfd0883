"""A finished training for the terminal, in a few lines."""

from rich.text import Text

from verydeep.number_format import duration, percent
from verydeep.tables.evaluation_table import interval_text
from verydeep.train.result.train_result import TrainResult


def training_summary(result: TrainResult, wall_seconds: float) -> Text:
    """Accuracy on the test images with its interval, the time, and what to know of the data."""
    accuracy = result.test.intervals["top1"]
    groups = f" of {result.test.groups:,} groups" if result.test.groups else ""
    epochs = len(result.epochs)
    kept = "" if result.best_epoch is None else f"\nepoch {result.best_epoch} of {epochs} was kept"
    return Text.assemble(
        *(f"Note: {note}\n" for note in result.notes),
        "Test accuracy ",
        (percent(accuracy.value), "bold"),
        f" ({interval_text(accuracy)}) on {result.test.images:,} images{groups}, "
        f"after {duration(result.seconds)} of training ({duration(wall_seconds)} in all)\n"
        f"Balanced accuracy {percent(result.test.balanced_accuracy)}, "
        f"macro-F1 {percent(result.test.macro_f1)}",
        kept,
    )
