"""A finished training for the terminal, in a few lines."""

from rich.text import Text

from verydeep.tables.format import duration, percent
from verydeep.train.train import TrainResult


def training_summary(result: TrainResult, wall_seconds: float) -> Text:
    """Accuracy on the test images with its interval, the time, and what to know of the data."""
    accuracy = result.test.intervals["top1"]
    kept = (
        f"epoch {result.best_epoch} of {len(result.epochs)} was kept\n"
        if result.best_epoch is not None
        else ""
    )
    return Text.assemble(
        *(f"Note: {note}\n" for note in result.notes),
        "Test accuracy ",
        (percent(accuracy.value), "bold"),
        f" (95 % interval {percent(accuracy.low)} to {percent(accuracy.high)}) on {result.test.images:,} images, "
        f"after {duration(result.seconds)} of training ({duration(wall_seconds)} in all)\n",
        f"Balanced accuracy {percent(result.test.balanced_accuracy)}, macro-F1 {percent(result.test.macro_f1)}",
        f"\n{kept}" if kept else "",
    )
