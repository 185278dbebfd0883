"""``verydeep bench``: latency, throughput, memory and size of a network in every installed runtime."""

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
from verydeep.bench.matmul_peak import matmul_peak
from verydeep.bench.measure import BenchRow, measure
from verydeep.errors import ShapeError
from verydeep.export.check_images import GivenImages, drawn_images, given_images
from verydeep.models.checkpoint import Checkpoint
from verydeep.runtime.bundle import Bundle, is_bundle, read_bundle
from verydeep.tables.bench_table import bench_table
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.image_argument import Location
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
    json
        Print one JSON list with one object per runtime, precision and batch size.
    """
    batches = batch or [1, 16]
    require_batches(batches)
    if threads is not None and threads < 1:
        raise ShapeError(f"--threads is {threads}; expected 1 or more")
    chosen = runtimes or list(BENCH_RUNTIMES)
    with tempfile.TemporaryDirectory() as folder:
        network: Checkpoint | Bundle = read_bundle(model) if is_bundle(model) else load_classifier(model)
        classes = network.description.classes
        given = given_images(images, classes, model, network.preprocess) if images else None
        candidates = _candidates(network, Path(folder), chosen, given)
        require_candidates(candidates, chosen)
        rows = _measure(network, candidates, batches, threads, given)
    if json:
        print_json([row.values for row in rows])
    else:
        out().print(bench_table(rows))
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
    given: GivenImages | None,
) -> list[BenchRow]:
    with ProgressBar(err(), "Timing", unit="turns") as progress:
        return measure(
            candidates,
            network.preprocess,
            batches,
            given.check if given else drawn_images(network.preprocess),
            macs=trace(network.description.architecture).totals.macs,
            peak=matmul_peak(threads),
            threads=threads,
            on_turn=progress,
        )
