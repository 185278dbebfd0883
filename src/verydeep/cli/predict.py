"""``verydeep predict``: batch prediction of images."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.cli.load_network import load_network, require_network
from verydeep.decoding.batch_size import BATCH_SIZE
from verydeep.errors import DataError
from verydeep.foreign_text import one_line
from verydeep.image_sources.find_images import find_images
from verydeep.machine import Device
from verydeep.number_format import percent
from verydeep.parts.job import new_job
from verydeep.parts.work import check_parts, is_parts_folder
from verydeep.prediction.predict import NONE_OF_THESE, Prediction
from verydeep.prediction.predict import predict as predict_images
from verydeep.prediction.predict_to_file import PredictionSummary, predict_to_file
from verydeep.prediction.predict_to_parts import predict_to_parts
from verydeep.prediction.prediction_file import check_prediction_path
from verydeep.prediction.sort_images import SortSummary, check_sort_folder, sort_images
from verydeep.runtime.extras import RuntimeFlag
from verydeep.terminal.checksum_flag import NoVerify
from verydeep.terminal.console import err, out, print_json, print_message
from verydeep.terminal.image_argument import IMAGES_HELP, Location
from verydeep.terminal.output_path import require_writable_file
from verydeep.terminal.parts import check_parts_flags, print_parts
from verydeep.terminal.progress import ImageProgress
from verydeep.terminal.reading_lines import print_found

TOP_PRINTED = 3
TOP_WRITTEN = 5
BROKEN_SHOWN = 20


def predict(
    run: Annotated[Path, Parameter(name="RUN")],
    images: Annotated[list[Location], Parameter(name="IMAGE", help=IMAGES_HELP)],
    /,
    *,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    shard: str | None = None,
    check: Annotated[bool, Parameter(negative="")] = False,
    sort_into: Path | None = None,
    link: Annotated[bool, Parameter(negative="")] = False,
    reject_below: float | None = None,
    top: int | None = None,
    batch: int | None = None,
    device: Device = "auto",
    runtime: RuntimeFlag | None = None,
    no_verify: NoVerify = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Classify each IMAGE.

    Broken images are reported and left out; the exit code is then 1, and with a folder as --out only with
    --check.

    Parameters
    ----------
    run
        A run folder, a checkpoint, a weight file of torchvision, timm, Keras or others, or a network that
        `verydeep export` wrote.
    images
        The images.
    out_
        A file for the predictions: .csv, .jsonl or .parquet; each batch is written immediately. Or a folder,
        for very many images: one Parquet file per 1,000 images; the same command continues it.
    resume
        Continue an existing --out file; images in it are not predicted again.
    shard
        With a folder as --out: the part of the work that this process does, such as 1/4 for the first of
        four. torchrun gives it by itself.
    check
        With a folder as --out: predict nothing, and say whether all parts are there; the exit code is 1 where
        some are missing, or images are broken.
    sort_into
        A folder to copy each image into, in one folder per predicted class; nothing is moved or overwritten.
    link
        With --sort-into: symbolic links to the images instead of copies.
    reject_below
        A confidence such as 0.6: an image below it is "none of these". `verydeep evaluate` shows what each
        value costs.
    top
        The number of classes per image (top-k): by default 3 when printed, 5 in a file, all in JSON.
    batch
        Images per batch; by default it depends on their size.
    device
        Where to compute; auto uses a GPU if there is one.
    runtime
        What computes an exported network; by default the usual one for its format. auto is the fastest one
        on this machine, which is timed once.
    no_verify
        Leave out the comparison with the checksum.
    json
        Print one JSON list with one object per image; with --out one object: out, predicted, kept,
        broken, skipped; with a folder as --out: out, images, parts, computed, missing, broken, skipped; with
        --sort-into out, folders, placed, kept, broken, skipped.
    """
    _check_sorting(sort_into, link, {"--out": out_, "--resume": resume, "--top": top, "--shard": shard})
    this_shard = check_parts_flags(out_, shard, check=check)
    _check(out_, resume, top, batch, reject_below)
    require_network(run)
    found = find_images(images)
    print_found(found)
    sources = found.sources
    load = partial(
        load_network, run, device, runtime, batch=min(batch or BATCH_SIZE, len(sources)), verify=not no_verify
    )
    if out_ and is_parts_folder(out_):
        job = new_job("predict", run, {"top": top or TOP_WRITTEN, "reject_below": reject_below}, sources)
        if check:
            parts = check_parts(out_, job)
        else:
            with ImageProgress(err(), "Predicting") as progress:
                parts = predict_to_parts(
                    load(), sources, out_, job, this_shard, batch_size=batch, progress=progress
                )
        values = parts.values | {"skipped": dict(found.reading.skipped)}
        print_json(values) if json else print_parts(parts)
        return 1 if check and (parts.missing or parts.broken) else 0
    network = load()
    if sort_into:
        check_sort_folder(sort_into, images, sources)
        with ImageProgress(err(), "Sorting") as progress:
            sorted_ = sort_images(
                network, sources, sort_into,
                link=link, reject_below=reject_below, batch_size=batch, progress=progress,
            )  # fmt: skip
        values = sorted_.values | {"skipped": dict(found.reading.skipped)}
        print_json(values) if json else _print_sorted(sorted_)
        return 1 if sorted_.broken else 0
    if out_:
        with ImageProgress(err(), "Predicting") as progress:
            summary = predict_to_file(
                network, sources, out_,
                top=top or TOP_WRITTEN, resume=resume, batch_size=batch, reject_below=reject_below,
                progress=progress,
            )  # fmt: skip
        values = summary.values | {"skipped": dict(found.reading.skipped)}
        print_json(values) if json else _print_summary(summary)
        return 1 if summary.broken else 0
    top = top or (None if json else TOP_PRINTED)
    batches = predict_images(network, sources, top=top, batch_size=batch, reject_below=reject_below)
    predictions = _one_by_one(batches, len(sources))
    broken = _print_list(predictions) if json else _print_lines(predictions)
    return 1 if broken else 0


def _check(
    out_: Path | None, resume: bool, top: int | None, batch: int | None, reject_below: float | None
) -> None:
    for name, value in (("--top", top), ("--batch", batch)):
        if value is not None and value < 1:
            raise DataError(f"{name} is {value}; expected 1 or more")
    if reject_below is not None and not 0 < reject_below <= 1:
        raise DataError(f"--reject-below is {reject_below:g}; expected a confidence from 0 to 1, such as 0.6")
    if resume and out_ is None:
        raise DataError("--resume continues a file; name it with --out predictions.csv")
    if out_ and is_parts_folder(out_):
        if resume:
            raise DataError(f"{out_} is a folder of parts: the same command continues it, without --resume")
    elif out_:
        require_writable_file(out_)
        check_prediction_path(out_, resume=resume)


def _check_sorting(folder: Path | None, link: bool, others: dict[str, object]) -> None:
    if folder is None and link:
        raise DataError("--link is for --sort-into; name its folder, such as --sort-into sorted/")
    unfit = [flag for flag, value in others.items() if value]
    if folder is not None and unfit:
        raise DataError(
            f"--sort-into and {unfit[0]} do not go together; leave out one, or run the command once for each"
        )


def _one_by_one(batches: Iterable[Sequence[Prediction]], total: int) -> Iterator[Prediction]:
    """Single predictions, with a progress bar unless stdout is a terminal, where they show the progress."""
    with ImageProgress(err(), "Predicting") as progress:
        has_bar, done = not out().is_terminal, 0
        for batch in batches:
            yield from batch
            done += len(batch)
            if has_bar:
                progress(done, total)


def _print_lines(predictions: Iterator[Prediction]) -> int:
    """Print one line per image; the number of broken images."""
    stdout, stderr, broken = out(), err(), 0
    for prediction in predictions:
        if prediction.error is not None:
            stderr.print(prediction.error, markup=False, soft_wrap=True)
            broken += 1
        else:
            top_classes = ", ".join(f"{name} {percent(share, 1)}" for name, share in prediction.top_classes)
            if prediction.is_rejected:
                top_classes = f"{NONE_OF_THESE} ({top_classes})"
            line = f"{one_line(prediction.file)}: {one_line(top_classes)}"
            stdout.print(line, markup=False, soft_wrap=True)
    return broken


def _print_list(predictions: Iterator[Prediction]) -> int:
    """Print one JSON list, object by object; the number of broken images."""
    stdout, broken, separator = out(), 0, "["
    for prediction in predictions:
        stdout.out(separator + dumps(prediction.values).replace("\x7f", r"\u007f"), end="")
        separator = ",\n"
        broken += prediction.error is not None
    stdout.out("]")
    return broken


def _print_sorted(summary: SortSummary) -> None:
    for prediction in summary.broken:
        err().print(prediction.error, markup=False, soft_wrap=True)
    if summary.broken:
        print_message(f"{len(summary.broken):,} broken, in no folder.")
    counts = ", ".join(f"{name} {count:,}" for name, count in summary.folders.items())
    kept = f"; {summary.kept:,} of them from before" if summary.kept else ""
    images = summary.placed + summary.kept
    out().print(
        f"{summary.out}: {images:,} image{'s' * (images != 1)}{kept}: {counts}", markup=False, soft_wrap=True
    )


def _print_summary(summary: PredictionSummary) -> None:
    broken, file = summary.broken, summary.out
    for prediction in broken[:BROKEN_SHOWN]:
        err().print(prediction.error, markup=False, soft_wrap=True)
    if broken:
        more = f", the first {BROKEN_SHOWN} are listed above" if len(broken) > BROKEN_SHOWN else ""
        text = f"{len(broken):,} broken{more}; {file} has the reasons."
        err().print(text, markup=False, soft_wrap=True)
    kept = f", and {summary.kept:,} from before" if summary.kept else ""
    images = f"{summary.predicted:,} image{'s' * (summary.predicted != 1)}"
    out().print(f"{file}: {images}{kept}", markup=False, soft_wrap=True)
