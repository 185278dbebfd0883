"""``verydeep bench``: latency, throughput, memory and size of a network in every installed runtime."""

import shlex
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.analyze.trace import trace
from verydeep.bench.candidate import BENCH_RUNTIMES, BenchRuntime, Candidate
from verydeep.bench.candidates import (
    candidates_of_bundle,
    candidates_of_run,
    require_batches,
    require_candidates,
)
from verydeep.bench.machine import bench_machine
from verydeep.bench.matmul_peak import matmul_peak
from verydeep.bench.measure import BenchRow, measure
from verydeep.cli.load_network import refuse_page
from verydeep.errors import ShapeError
from verydeep.export.check_images import CheckImages, GivenImages, drawn_images, given_images
from verydeep.models.checkpoint import Checkpoint
from verydeep.report.bench.page import BenchReport, write_bench_page
from verydeep.runtime.bundle import Bundle, is_bundle, read_bundle
from verydeep.tables.bench_table import bench_tables
from verydeep.terminal.console import err, out, print_json, print_message
from verydeep.terminal.image_argument import Location
from verydeep.terminal.output_path import require_writable_file
from verydeep.terminal.progress import ProgressBar
from verydeep.weight_files.checkpoint_file import save
from verydeep.weights.load import load_classifier


def bench(
    model: Annotated[Path, Parameter(name="MODEL")],
    /,
    *,
    batch: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    runtimes: Annotated[list[BenchRuntime] | None, Parameter(consume_multiple=True)] = None,
    threads: int | None = None,
    images: Location | None = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Time the network of MODEL in every installed runtime, side by side: each in a process of its own, in
    turns.

    A run or checkpoint is exported to each format first; the rows are compared with torch in fp32,
    channels-last.

    Parameters
    ----------
    model
        A run folder, a checkpoint, or a network that `verydeep export` wrote.
    batch
        Batch sizes, such as 1 16; by default both of these.
    runtimes
        Which of torch, onnxruntime, openvino and ncnn; by default all that are installed.
    threads
        Threads of each runtime; by default as many as there are cores.
    images
        Your own images: INT8 is calibrated on a part, agreement and accuracy are measured on the others.
        Without them there is no INT8, and agreement is that on drawn shapes.
    out_
        Also write a page with a figure of the times, the table, the machine and the command.
    json
        Print one JSON list with one object per runtime, precision and batch size.
    """
    batches = batch or [1, 16]
    require_batches(batches)
    if threads is not None and threads < 1:
        raise ShapeError(f"--threads is {threads}; expected 1 or more")
    if out_ is not None:
        require_writable_file(out_)
    refuse_page(model)
    chosen = runtimes or list(BENCH_RUNTIMES)
    with tempfile.TemporaryDirectory() as folder:
        network: Checkpoint | Bundle = read_bundle(model) if is_bundle(model) else load_classifier(model)
        classes = network.description.classes
        given = given_images(images, classes, model, network.preprocess) if images else None
        if given and given.check.note:
            print_message(f"Images: {given.check.note}")
        candidates = _candidates(network, Path(folder), chosen, given)
        require_candidates(candidates, chosen)
        peak = matmul_peak(threads)
        check = given.check if given else drawn_images(network.preprocess)
        rows = _measure(network, candidates, batches, threads, check, peak)
    if out_ is not None:
        report = BenchReport(
            network=network.description.architecture.name,
            size=network.preprocess.size,
            rows=rows,
            images=f"agreement on {check.description}",
            machine=bench_machine([row.runtime for row in rows], threads, peak),
            command=shlex.join(["verydeep", *sys.argv[1:]]),
        )
        write_bench_page(report, out_)
    if json:
        print_json([row.values for row in rows])
    else:
        out().print(bench_tables(rows), soft_wrap=True)
        if out_ is not None:
            out().print(f"Page: {out_}", markup=False, soft_wrap=True)
    return 0


def _candidates(
    network: Checkpoint | Bundle, folder: Path, runtimes: list[BenchRuntime], given: GivenImages | None
) -> list[Candidate]:
    if isinstance(network, Bundle):
        return list(candidates_of_bundle(network, runtimes))
    err().print("Exporting to every format", soft_wrap=True)
    file = folder / "model.safetensors"
    save(network, file)
    return list(candidates_of_run(network, file, folder, runtimes, given))


def _measure(
    network: Checkpoint | Bundle,
    candidates: list[Candidate],
    batches: list[int],
    threads: int | None,
    images: CheckImages,
    peak: float,
) -> list[BenchRow]:
    with ProgressBar(err(), "Timing", unit="turns") as progress:
        return measure(
            candidates,
            network.preprocess,
            batches,
            images,
            macs=trace(network.description.architecture).totals.macs,
            peak=peak,
            threads=threads,
            on_turn=progress,
        )
