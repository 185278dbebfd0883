"""What is timed: the network in torch, and exported to every format whose runtime is installed."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from verydeep.bench.candidate import BenchRuntime, Candidate
from verydeep.errors import CheckpointError
from verydeep.export.check_images import GivenImages
from verydeep.export.export_bundle import ExportRequest, export_bundle
from verydeep.export.targets import PRECISIONS
from verydeep.machine import computes_bf16
from verydeep.models.checkpoint import Checkpoint
from verydeep.runtime.bundle import Bundle, Format
from verydeep.runtime.exported_network import RUNTIMES_OF
from verydeep.runtime.extras import Runtime, is_installed, require_installed


def chosen_runtimes(
    able: Sequence[BenchRuntime], wanted: Sequence[BenchRuntime] | None
) -> tuple[BenchRuntime, ...]:
    """The ``wanted`` runtimes; by default those of ``able`` that are installed.

    Args:
        able: what can compute the network, the usual one first.
        wanted: what the user asked for.

    Raises:
        CheckpointError: if one of ``wanted`` cannot compute the network or is not installed, or if none is.
    """
    installed = [each for each in able if each == "torch" or is_installed(each)]
    chosen = tuple(wanted or installed or able[:1])
    for runtime in chosen:
        if runtime not in able:
            raise CheckpointError(
                f"{runtime} cannot compute this exported network; {' and '.join(able)} can. Leave it out of "
                "--runtimes, or give the run"
            )
        if runtime != "torch":
            require_installed(runtime)
    return chosen


def calibrates_int8(runtimes: Sequence[BenchRuntime]) -> bool:
    """Whether a run is exported in INT8 for one of ``runtimes``."""
    return any("int8" in PRECISIONS[format_] for format_, _ in _formats(runtimes))


def candidates_of_run(
    checkpoint: Checkpoint,
    file: Path,
    folder: Path,
    runtimes: Sequence[BenchRuntime],
    images: GivenImages | None,
    on_failure: Callable[[str], None] | None = None,
) -> Iterator[Candidate]:
    """``checkpoint`` in torch, then exported into ``folder`` for each of ``runtimes``, which are installed.

    INT8 needs images for its calibration. A precision that loses too much is timed all the same: its
    agreement says so.

    Args:
        checkpoint: the network.
        file: its checkpoint file.
        folder: an empty folder.
        runtimes: which ones.
        images: the user's images.
        on_failure: called with what cannot be exported, which is left out; by default that is an error.

    Raises:
        CheckpointError: if an export fails, and there is no ``on_failure``.
    """
    if "torch" in runtimes:
        yield Candidate("torch", "fp32", file)
        if computes_bf16():
            yield Candidate("torch", "bf16", file)
    for format_, runtime in _formats(runtimes):
        for precision in PRECISIONS[format_]:
            if precision == "int8" and (images is None or images.calibration is None):
                continue
            path = folder / (f"{runtime}-{precision}" + (".onnx" if format_ == "onnx" else ""))
            size = checkpoint.preprocess.size
            request = ExportRequest(format=format_, precision=precision, size=size, allow_loss=True)
            try:
                export_bundle(checkpoint, path, request, images)
            except CheckpointError as error:
                if on_failure is None:
                    raise
                on_failure(f"{runtime} in {precision}: {error}")
            else:
                yield Candidate(runtime, precision, path)


def candidates_of_bundle(bundle: Bundle, runtimes: Sequence[BenchRuntime]) -> Iterator[Candidate]:
    """``bundle`` in each of ``runtimes``, which can load it."""
    for runtime in runtimes:
        yield Candidate(runtime, bundle.export.precision, bundle.path)


def _formats(runtimes: Sequence[BenchRuntime]) -> Iterator[tuple[Format, Runtime]]:
    """Each format that is for one of ``runtimes`` first of all, and that runtime."""
    for format_, (runtime, *_) in RUNTIMES_OF.items():
        if runtime in runtimes:
            yield format_, runtime
