"""The work of ``verydeep bench``, which imports PyTorch."""

import shlex
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from verydeep.analyze.macs_at import macs_at
from verydeep.bench.candidate import BENCH_RUNTIMES, BenchRuntime, Candidate
from verydeep.bench.candidates import (
    calibrates_int8,
    candidates_of_bundle,
    candidates_of_run,
    chosen_runtimes,
)
from verydeep.bench.machine import bench_machine
from verydeep.bench.matmul_peak import matmul_peak
from verydeep.bench.measure import BenchRow, measure
from verydeep.errors import DataError
from verydeep.export.check_images import CheckImages, GivenImages, drawn_images, given_images
from verydeep.models.checkpoint import Checkpoint
from verydeep.report.bench.page import BenchReport, write_bench_page
from verydeep.runtime.bundle import Bundle, is_bundle, read_bundle
from verydeep.runtime.exported_network import RUNTIMES_OF
from verydeep.tables.bench_table import bench_tables
from verydeep.terminal.console import err, out, print_json, print_message
from verydeep.terminal.image_argument import Location
from verydeep.terminal.progress import ProgressBar
from verydeep.weight_files.checkpoint_file import save
from verydeep.weights.load import load_classifier


def time_runtimes(
    model: Path,
    batches: list[int],
    wanted: list[BenchRuntime] | None,
    *,
    threads: int | None,
    images: Location | None,
    page: Path | None,
    json: bool,
) -> int:
    """Time the network of ``model``, print the table, and write ``page``."""
    with tempfile.TemporaryDirectory() as folder:
        network: Checkpoint | Bundle = read_bundle(model) if is_bundle(model) else load_classifier(model)
        able = RUNTIMES_OF[network.export.format] if isinstance(network, Bundle) else BENCH_RUNTIMES
        runtimes = chosen_runtimes(able, wanted)
        given = _given(images, model, network, runtimes) if images else None
        if given and given.check.note:
            print_message(f"Images: {given.check.note}")
        candidates = _candidates(network, Path(folder), runtimes, given, None if wanted else _leave_out)
        peak = matmul_peak(threads)
        check = given.check if given else drawn_images(network.preprocess)
        rows = _measure(network, candidates, batches, threads, check, peak)
    print_json([row.values for row in rows]) if json else out().print(bench_tables(rows), soft_wrap=True)
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
        if not json:
            out().print(f"Page: {page}", markup=False, soft_wrap=True)
    return 0


def _given(
    images: Location, model: Path, network: Checkpoint | Bundle, runtimes: tuple[BenchRuntime, ...]
) -> GivenImages:
    """Those of ``images`` to compare on, and to calibrate INT8 where it is exported and they allow it."""
    read = partial(given_images, images, network.description.classes, model, network.preprocess)
    if isinstance(network, Bundle) or not calibrates_int8(runtimes):
        return read()
    try:
        return read(calibration=images)
    except DataError as error:
        given = read()  # an error, where they are not even to compare on
        _leave_out(f"INT8: {error}")
        return given


def _leave_out(reason: str) -> None:
    print_message(f"Left out: {reason}")


def _candidates(
    network: Checkpoint | Bundle,
    folder: Path,
    runtimes: tuple[BenchRuntime, ...],
    given: GivenImages | None,
    on_failure: Callable[[str], None] | None,
) -> list[Candidate]:
    if isinstance(network, Bundle):
        return list(candidates_of_bundle(network, runtimes))
    err().print("Exporting to every format", soft_wrap=True)
    file = folder / "model.safetensors"
    save(network, file)
    return list(candidates_of_run(network, file, folder, runtimes, given, on_failure))


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
            macs=macs_at(network.description),
            peak=peak,
            threads=threads,
            on_turn=progress,
        )
