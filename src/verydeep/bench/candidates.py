"""What is timed: the network in torch, and exported to every format whose runtime is installed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from verydeep.bench.candidate import BenchRuntime, Candidate
from verydeep.errors import CheckpointError
from verydeep.export.check_images import GivenImages
from verydeep.export.export_bundle import ExportRequest, export_bundle
from verydeep.export.targets import PRECISIONS
from verydeep.machine import computes_bf16
from verydeep.models.checkpoint import Checkpoint
from verydeep.runtime.bundle import Bundle
from verydeep.runtime.exported_network import RUNTIMES_OF
from verydeep.runtime.extras import is_installed


def candidates_of_run(
    checkpoint: Checkpoint,
    file: Path,
    folder: Path,
    runtimes: Sequence[BenchRuntime],
    images: GivenImages | None,
) -> Iterator[Candidate]:
    """``checkpoint`` in torch, then exported into ``folder`` for each of ``runtimes`` that is installed.

    INT8 needs ``images`` for its calibration. A precision that loses too much is timed all the same: its
    agreement says so.

    Args:
        checkpoint: the network.
        file: its checkpoint file.
        folder: an empty folder.
        runtimes: which ones.
        images: the user's images.
    """
    if "torch" in runtimes:
        yield Candidate("torch", "fp32", file)
        if computes_bf16():
            yield Candidate("torch", "bf16", file)
    for format_, (runtime, *_) in RUNTIMES_OF.items():
        if runtime not in runtimes or not is_installed(runtime):
            continue
        for precision in PRECISIONS[format_]:
            if precision == "int8" and images is None:
                continue
            name = f"{runtime}-{precision}" + (".onnx" if format_ == "onnx" else "")
            size = checkpoint.preprocess.size
            request = ExportRequest(format=format_, precision=precision, size=size, allow_loss=True)
            yield Candidate(
                runtime, precision, export_bundle(checkpoint, folder / name, request, images).path
            )


def candidates_of_bundle(bundle: Bundle, runtimes: Sequence[BenchRuntime]) -> Iterator[Candidate]:
    """``bundle`` in each of ``runtimes`` that can load it and is installed."""
    for runtime in RUNTIMES_OF[bundle.export.format]:
        if runtime in runtimes and is_installed(runtime):
            yield Candidate(runtime, bundle.export.precision, bundle.path)


def require_candidates(candidates: Sequence[Candidate], runtimes: Sequence[BenchRuntime]) -> None:
    """Check that there is something to time.

    Raises:
        CheckpointError: if none of ``runtimes`` is installed or fits the network.
    """
    if not candidates and set(runtimes) == {"torch"}:  # a run has it always
        raise CheckpointError("torch does not compute an exported network; give the run")
    if not candidates:
        raise CheckpointError(
            f"none of {', '.join(runtimes)} is installed and can compute this network. "
            "pip install 'verydeep[onnx,openvino]' brings two"
        )
