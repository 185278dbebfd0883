"""``verydeep predict``: what is in images, however many."""

from collections.abc import Iterable, Iterator, Sequence
from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.progress import Progress

from verydeep.data.open_images import read_sources
from verydeep.data.samples import ImageSource
from verydeep.errors import DataError, Interrupted
from verydeep.evaluate.predict import Prediction
from verydeep.evaluate.predict import predict as predict_images
from verydeep.evaluate.prediction_file import check_out, label_into, left_to_do, open_predictions
from verydeep.models.checkpoint import Checkpoint
from verydeep.tables.format import percent
from verydeep.terminal.console import err, out, print_json
from verydeep.train.device import Device, choose_device
from verydeep.weights.load import load_classifier

TOP_PRINTED = 3
TOP_WRITTEN = 5
BROKEN_SHOWN = 20


def predict(
    run: Annotated[Path, Parameter(name="RUN")],
    images: Annotated[list[str], Parameter(name="IMAGE")],
    /,
    *,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    top: int | None = None,
    batch: int | None = None,
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Name what is in each IMAGE. A broken one is reported, and the rest goes on; the exit code is then 1.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a weight file of torchvision, timm, Keras or others.
    images
        Image files of any size and mode, folders of them, or globs; a CSV, TSV or Parquet list; tar shards
        such as cells-{000..012}.tar; a data set of Hugging Face.
    out_
        The file to write: .csv, .jsonl or .parquet; it grows as predictions come.
    resume
        Go on with --out where it was begun: what is in it is not done again.
    top
        How many classes to name; 3 where they are printed, 5 in a file, all in JSON by default.
    batch
        Images at a time; what suits their size by default.
    device
        Where to compute; auto takes a GPU where there is one.
    json
        Print one JSON list, an object a file; with --out one object: out, predicted, kept, broken.
    """
    _check(out_, resume, top, batch)
    network = load_classifier(run)
    network.model.to(choose_device(device))
    sources = read_sources(images)
    if out_:
        return _write(network, sources, out_, resume, top or TOP_WRITTEN, batch, json)
    named = top or (None if json else TOP_PRINTED)
    batches = predict_images(network, sources, top=named, batch_size=batch)
    predictions = _watched(batches, len(sources), bar=not out().is_terminal)
    broken = _print_list(predictions) if json else _print_lines(predictions)
    return 1 if broken else 0


def _check(out_: Path | None, resume: bool, top: int | None, batch: int | None) -> None:
    for name, value in (("--top", top), ("--batch", batch)):
        if value is not None and value < 1:
            raise DataError(f"{name} is {value}; expected 1 or more")
    if resume and out_ is None:
        raise DataError("--resume goes on with a file; name it by --out predictions.csv")
    if out_:
        check_out(out_, resume=resume)


def _watched(batches: Iterable[Sequence[Prediction]], total: int, *, bar: bool) -> Iterator[Prediction]:
    """One prediction after the other, under a bar where they do not show the progress themselves."""
    told = err()
    hidden = not (bar and told.is_terminal)  # elsewhere it would leave an empty line
    with Progress(console=told, transient=True, redirect_stdout=False, disable=hidden) as progress:
        task = progress.add_task("Predicting", total=total)
        for batch in batches:
            yield from batch
            progress.advance(task, len(batch))


def _print_lines(predictions: Iterator[Prediction]) -> int:
    """A line each, as they come; how many were broken."""
    said, told, broken = out(), err(), 0
    for prediction in predictions:
        if prediction.error is not None:
            told.print(prediction.error, markup=False, soft_wrap=True)
            broken += 1
        else:
            top_classes = ", ".join(f"{name} {percent(share, 1)}" for name, share in prediction.top_classes)
            said.print(f"{prediction.file}: {top_classes}", markup=False, soft_wrap=True)
    return broken


def _print_list(predictions: Iterator[Prediction]) -> int:
    """One JSON list, an object a line, as they come; how many were broken."""
    said, broken, before = out(), 0, "["
    for prediction in predictions:
        said.out(before + dumps(prediction.values), end="")
        before = ",\n"
        broken += prediction.error is not None
    said.out("]")
    return broken


def _write(
    network: Checkpoint,
    sources: list[ImageSource],
    file: Path,
    resume: bool,
    top: int,
    batch: int | None,
    json: bool,
) -> int:
    """Fill ``file``, and say what is in it; the exit code."""
    count = 0
    with open_predictions(file, min(top, len(network.classes)), resume=resume) as opened:
        rest = left_to_do(opened, network, sources)
        broken = list(opened.before.broken)
        try:
            for prediction in _watched(
                label_into(opened, network, rest, batch_size=batch), len(rest), bar=True
            ):
                count += 1
                broken += [prediction] if prediction.error is not None else []
        except KeyboardInterrupt:
            raise Interrupted(
                f"{file} has {len(opened.before.files) + count:,} of {len(sources):,} images. Go on by the "
                "same command with --resume"
            ) from None
    kept = len(opened.before.files)
    if json:
        errors = [prediction.values for prediction in broken]
        print_json({"out": str(file), "predicted": count, "kept": kept, "broken": errors})
    else:
        _summarize(file, count, kept, broken)
    return 1 if broken else 0


def _summarize(file: Path, count: int, kept: int, broken: list[Prediction]) -> None:
    for prediction in broken[:BROKEN_SHOWN]:
        err().print(prediction.error, markup=False, soft_wrap=True)
    if broken:
        more = f", {BROKEN_SHOWN} of them above" if len(broken) > BROKEN_SHOWN else ""
        err().print(f"{len(broken):,} broken{more}; {file} has every reason.", markup=False, soft_wrap=True)
    before = f", and {kept:,} from before" if kept else ""
    out().print(f"{file}: {count:,} image{'s' * (count != 1)}{before}", markup=False, soft_wrap=True)
