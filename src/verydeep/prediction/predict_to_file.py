"""Batch prediction into a file, which can be interrupted and resumed."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verydeep.data.progress import OnProgress
from verydeep.errors import DataError, Interrupted
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.parquet import valid_utf8
from verydeep.prediction.network import Network
from verydeep.prediction.predict import Prediction, predict, usable_temperature
from verydeep.prediction.prediction_file import PredictionFile, open_predictions

TOLERANCE = 0.02
"""Between probabilities of one image by one network; other machines and precisions differ by less."""
ROUNDING = 1e-5
"""Of a confidence that is written with six digits."""


@dataclass(frozen=True, kw_only=True)
class PredictionSummary:
    """The result of writing predictions to a file."""

    out: Path
    predicted: int
    """Images of this run."""
    kept: int
    """Images that the file had before."""
    broken: tuple[Prediction, ...]
    """The images in the file that cannot be read, those of before first."""

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        broken = [prediction.values for prediction in self.broken]
        return {"out": str(self.out), "predicted": self.predicted, "kept": self.kept, "broken": broken}


def predict_to_file(
    network: Network,
    sources: Sequence[ImageSource],
    path: Path,
    *,
    top: int,
    resume: bool = False,
    batch_size: int | None = None,
    reject_below: float | None = None,
    progress: OnProgress | None = None,
) -> PredictionSummary:
    """Predict ``sources`` into the file at ``path``, batch by batch.

    Args:
        network: a network, or an exported network.
        sources: the images.
        path: a .csv, .jsonl or .parquet file.
        top: classes per image (top-k).
        resume: continue an existing file; images in it are not predicted again.
        batch_size: images per batch; by default it depends on their size.
        reject_below: the confidence below which the answer is none of the classes.
        progress: called after each batch.

    Raises:
        CheckpointError: if the network's temperature is not a valid number.
        DataError: if a class is called like the answer for rejected images, the file exists and ``resume`` is
            false, or it is not from this network and threshold.
        InUseError: if another process writes to it.
        OSError: if the disk is full; the file keeps all finished batches.
        Interrupted: on Ctrl-C; the file keeps all finished batches.
    """
    usable_temperature(network, reject_below)  # a network without one leaves no file
    top = min(top, len(network.classes))
    with open_predictions(path, top, resume=resume, rejects=reject_below is not None) as file:
        remaining = remaining_sources(file, network, sources, reject_below=reject_below)
        existing, done = file.existing, 0
        broken = list(existing.broken)
        try:
            for batch in write_predictions(
                file, network, remaining, batch_size=batch_size, reject_below=reject_below
            ):
                done += len(batch)
                broken += [prediction for prediction in batch if prediction.error is not None]
                if progress:
                    progress(done, len(remaining))
        except KeyboardInterrupt:
            raise Interrupted(
                f"{path} has {len(existing.files) + done:,} of {len(sources):,} images. Continue with the "
                "same command and --resume"
            ) from None
    return PredictionSummary(out=path, predicted=done, kept=len(existing.files), broken=tuple(broken))


def remaining_sources(
    file: PredictionFile,
    network: Network,
    sources: Sequence[ImageSource],
    *,
    reject_below: float | None = None,
) -> Sequence[ImageSource]:
    """The ``sources`` that ``file`` does not have yet.

    Raises:
        DataError: if ``file`` was written with another threshold, or by another network; a few images are
            predicted again to check that.
    """
    existing = file.existing
    if not existing.files:
        return sources
    for row in filter(None, (existing.least_accepted, existing.most_rejected)):
        _require_threshold(file.path, row, reject_below)
    names = {str(source): name for source in sources if (name := _name_in(existing.samples.keys(), source))}
    samples = [source for source in sources if str(source) in names]
    for batch in predict(network, samples):
        for prediction in batch:
            if prediction.error is None:
                _require_same(file.path, existing.samples[names[prediction.file]], prediction)
    return [source for source in sources if _name_in(existing.files, source) is None]


def _name_in(files: Set[str], source: ImageSource) -> str | None:
    """The name of ``source`` in a file of predictions: a table has names that are not UTF-8 with escapes."""
    return next((name for name in (str(source), valid_utf8(str(source))) if name in files), None)


def _require_same(path: Path, existing: Prediction, current: Prediction) -> None:
    (label, confidence), *_ = existing.top_classes
    by_class = dict(reversed(current.top_classes))  # of two classes with one name, the more probable remains
    if abs(by_class.get(label, -1.0) - confidence) > TOLERANCE:
        current_label, current_confidence = current.top_classes[0]
        raise DataError(
            f"{path} was written by another network, or for other images: it predicts {label} with "
            f"{confidence:.3f} for {current.file}, this network predicts {current_label} with "
            f"{current_confidence:.3f}. Name another file"
        )


def _require_threshold(path: Path, existing: Prediction, reject_below: float | None) -> None:
    confidence, threshold = existing.confidence, reject_below or 0.0
    if existing.is_rejected == (confidence < threshold) or abs(confidence - threshold) <= ROUNDING:
        return
    done, other = ("rejects", "does not") if existing.is_rejected else ("accepts", "rejects it")
    given = (
        "without --reject-below this command" if reject_below is None else f"--reject-below {reject_below:g}"
    )
    raise DataError(
        f"{path} was written with another --reject-below: it {done} {existing.file} with {confidence:.3f}, "
        f"{given} {other}. Use the --reject-below of the first run, or another file"
    )


def write_predictions(
    file: PredictionFile,
    network: Network,
    sources: Sequence[ImageSource],
    *,
    batch_size: int | None = None,
    reject_below: float | None = None,
) -> Iterator[tuple[Prediction, ...]]:
    """``predict`` for ``sources``; each batch is written to ``file`` before it is returned."""
    for batch in predict(network, sources, top=file.top, batch_size=batch_size, reject_below=reject_below):
        file.write(batch)
        yield batch
