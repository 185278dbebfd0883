"""The work of ``verydeep bench``, which imports PyTorch."""

import shlex
import sys
import tempfile
from pathlib import Path

from verydeep.analyze.trace import trace
from verydeep.bench.candidate import BenchRuntime, Candidate
from verydeep.bench.candidates import candidates_of_bundle, candidates_of_run, require_candidates
from verydeep.bench.machine import bench_machine
from verydeep.bench.matmul_peak import matmul_peak
from verydeep.bench.measure import BenchRow, measure
from verydeep.export.check_images import CheckImages, GivenImages, drawn_images, given_images
from verydeep.models.checkpoint import Checkpoint
from verydeep.report.bench.page import BenchReport, write_bench_page
from verydeep.runtime.bundle import Bundle, is_bundle, read_bundle
from verydeep.tables.bench_table import bench_tables
from verydeep.terminal.console import err, out, print_json, print_message
from verydeep.terminal.image_argument import Location
from verydeep.terminal.progress import ProgressBar
from verydeep.weight_files.checkpoint_file import save
from verydeep.weights.load import load_classifier


def time_runtimes(
    model: Path,
    batches: list[int],
    runtimes: list[BenchRuntime],
    *,
    threads: int | None,
    images: Location | None,
    page: Path | None,
    json: bool,
) -> int:
    """Time the network of ``model``, write ``page``, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        network: Checkpoint | Bundle = read_bundle(model) if is_bundle(model) else load_classifier(model)
        classes = network.description.classes
        given = given_images(images, classes, model, network.preprocess) if images else None
        if given and given.check.note:
            print_message(f"Images: {given.check.note}")
        candidates = _candidates(network, Path(folder), runtimes, given)
        require_candidates(candidates, runtimes)
        peak = matmul_peak(threads)
        check = given.check if given else drawn_images(network.preprocess)
        rows = _measure(network, candidates, batches, threads, check, peak)
    if page is not None:
        report = BenchReport(
            network=network.description.architecture.name,
            size=network.preprocess.size,
            rows=rows,
            images=f"agreement on {check.description}",
            machine=bench_machine([row.runtime for row in rows], threads, peak),
            command=shlex.join(["verydeep", *sys.argv[1:]]),
        )
        write_bench_page(report, page)
    if json:
        print_json([row.values for row in rows])
    else:
        out().print(bench_tables(rows), soft_wrap=True)
        if page is not None:
            out().print(f"Page: {page}", markup=False, soft_wrap=True)
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
