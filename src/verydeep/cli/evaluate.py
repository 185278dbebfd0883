"""``verydeep evaluate``: the accuracy, confusion matrix and calibration of a network on labeled images."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Union

from cyclopts import Parameter

from verydeep.architecture.description import Description
from verydeep.cli.load_network import load_network
from verydeep.data.builtin_names import is_builtin
from verydeep.data.label_file import labels_file, labels_to_correct, write_label_file
from verydeep.data.split_file import WantedPart
from verydeep.decoding.batch_size import BATCH_SIZE, auto_batch_size
from verydeep.decoding.stream import stream_pixels
from verydeep.errors import ShapeError
from verydeep.evaluate.evaluate_images import evaluate_images
from verydeep.evaluate.exported_logits import exported_logits
from verydeep.evaluate.labeled_images import LabeledImages, read_labeled
from verydeep.evaluate.protocols import LogitBatch, Protocol, ProtocolName, make_protocol
from verydeep.image_sources.samples import Samples
from verydeep.machine import Device
from verydeep.report.evaluation_page import write_evaluation_page
from verydeep.runtime.exported_network import ExportedNetwork
from verydeep.runtime.extras import RuntimeFlag
from verydeep.tables.evaluation_table import evaluation_table
from verydeep.terminal.broken_images import print_broken
from verydeep.terminal.checksum_flag import NoVerify
from verydeep.terminal.console import err, out, print_json, print_message
from verydeep.terminal.image_argument import Location
from verydeep.terminal.label_corrections import require_no_corrections
from verydeep.terminal.output_path import require_page
from verydeep.terminal.progress import ByteProgress, ImageProgress

if TYPE_CHECKING:
    from verydeep.models.checkpoint import Checkpoint


def evaluate(
    run: Annotated[Path, Parameter(name="RUN")],
    data: Annotated[Location, Parameter(name="DATA")],
    /,
    *,
    protocol: ProtocolName = "single",
    scales: str | None = None,
    flip: bool = True,
    part: WantedPart | None = None,
    group_by: str | None = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    device: Device = "auto",
    runtime: RuntimeFlag | None = None,
    no_verify: NoVerify = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Evaluate the network of RUN on labeled images: accuracy, confusion matrix, calibration.

    Broken files are reported and left out; the exit code is then 1.

    Parameters
    ----------
    run
        A run folder, a checkpoint, a weight file of torchvision, timm, Keras or others, or a network that
        `verydeep export` wrote.
    data
        A folder with one folder of images per class, a list with labels, shards, a Hugging Face data set, or
        the name of a built-in data set.
    protocol
        Test-time augmentation: single (single crop, as in training), dense (whole images), multi-scale (dense
        at three scales), multi-crop (5 x 5 crops at three scales), ten-crop.
    scales
        Short sides of the whole images in px, such as 256,384,512.
    flip
        Evaluate mirror images too; the protocol single never does.
    part
        Which images: test, val, train or all. By default the test images of RUN or DATA, or all images if
        there is no test part.
    group_by
        A pattern for image names, such as 'photo_[0-9]+', or a column: in confidence intervals the images of
        a group then count as alike.
    out_
        Also write a page, .html, with the confusion matrix, the reliability diagram and the most confident
        mistakes, and beside it a CSV of doubtful labels of your own images.
    device
        Where to compute; auto uses a GPU if there is one.
    runtime
        What computes an exported network; by default the usual one for its format. auto is the fastest one
        on this machine, which is timed once.
    no_verify
        Leave out the comparison with the checksum.
    json
        Print one JSON object: top1, top5, loss, per_class, balanced_accuracy, macro_f1, intervals and more.
    """
    if out_ is not None:
        require_page(out_)
        require_no_corrections(out_)
    network = load_network(run, device, runtime, batch=BATCH_SIZE, verify=not no_verify)
    chosen = make_protocol(protocol, network.preprocess, scales=_parse_scales(scales), flip=flip)
    images = _read(data, network.description, run, part, group_by)
    for note in images.reading.notes:
        print_message(f"Note: {note}")
    err().print(f"Evaluating {images.description}", markup=False, soft_wrap=True)
    with ImageProgress(err(), "Evaluating") as progress:
        logits = _logits(network, images, chosen)
        result = evaluate_images(network.description, logits, images, chosen, progress)
    print_broken(result.broken)
    if json:
        print_json(result.values)
    else:
        out().print(evaluation_table(result.evaluation))
    if out_ is not None:  # what was measured is printed, whatever becomes of the page
        labels = labels_to_correct(result.doubtful_labels, labels_file(out_))
        write_evaluation_page(result, out_, command=shlex.join(["verydeep", *sys.argv[1:]]), labels=labels)
        if labels:
            write_label_file(result.doubtful_labels, labels.file, data)
            print_message(labels.line)
        if not json:
            out().print(f"Page: {out_}", markup=False, soft_wrap=True)
    return 1 if result.broken else 0


def _read(
    data: str, network: Description, run: Path, part: WantedPart | None, group_by: str | None
) -> LabeledImages:
    if not is_builtin(data):
        return read_labeled(data, network.classes, run, part, group_by, network.origin)
    from verydeep.evaluate.builtin_images import read_builtin  # imports torch, which a bundle does without

    with ByteProgress(err(), f"Downloading {data}") as progress:
        return read_builtin(data, network.classes, part, group_by, progress)


def _logits(
    network: Union["Checkpoint", ExportedNetwork], images: LabeledImages, protocol: Protocol
) -> Iterator[LogitBatch]:
    """Computed while they are read."""
    source, preprocess = images.source, network.preprocess
    if not isinstance(network, ExportedNetwork):
        from verydeep.evaluate.protocol_logits import protocol_logits  # as above

        return protocol_logits(network.model, source, preprocess, protocol)
    if isinstance(source, Samples):
        batches = stream_pixels(source.sources, preprocess, auto_batch_size(preprocess.size**2))
    else:
        from verydeep.evaluate.builtin_images import fitted_batches  # as above

        batches = fitted_batches(source, preprocess)
    return exported_logits(network, batches, protocol)


def _parse_scales(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise ShapeError(f"--scales is {text!r}; expected short sides in px, such as 256,384,512") from None
