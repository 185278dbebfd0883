"""What writes each format and precision."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from verydeep.errors import CheckpointError
from verydeep.export.graph import ExportGraph
from verydeep.export.quantize_onnx import quantize_onnx
from verydeep.export.quantize_openvino import quantize_openvino
from verydeep.export.targets import check_precision
from verydeep.export.to_ncnn import write_ncnn
from verydeep.export.to_onnx import write_onnx
from verydeep.export.to_openvino import write_openvino
from verydeep.runtime.bundle import Format, Precision


@dataclass(frozen=True, kw_only=True)
class ExportJob:
    """What a writer needs."""

    graph: ExportGraph
    size: int | None
    """The side of all images in px; None for images of any size."""
    precision: Precision
    calibration: Float32[np.ndarray, "count channels height width"] | None
    """Preprocessed images, for INT8."""


Writer = Callable[[ExportJob, Path], None]
"""Writes an ``.onnx`` file, or into an existing folder; what it needs meanwhile goes beside that."""


def _onnx(job: ExportJob, path: Path) -> None:
    write_onnx(job.graph, job.size, path)


def _openvino(job: ExportJob, folder: Path) -> None:
    write_openvino(_beside(job, folder), folder, compress=job.precision == "bf16")


def _onnx_int8(job: ExportJob, path: Path) -> None:
    assert job.calibration is not None
    quantize_onnx(_beside(job, path), path, job.calibration)


def _openvino_int8(job: ExportJob, folder: Path) -> None:
    assert job.calibration is not None
    quantize_openvino(_beside(job, folder), folder, job.calibration)


def _ncnn(job: ExportJob, folder: Path) -> None:
    if job.size is None:
        raise CheckpointError("ncnn takes images of one size; leave out --dynamic, or export to onnx")
    scratch = folder.with_name(f"{folder.name}.pnnx")
    scratch.mkdir()
    write_ncnn(job.graph, job.size, folder, scratch, compress=job.precision == "bf16")


def _beside(job: ExportJob, path: Path) -> Path:
    """An ONNX file in the temporary folder that ``path`` is in, which is deleted at the end."""
    onnx = path.with_name(f"{path.name}.fp32.onnx")
    write_onnx(job.graph, job.size, onnx)
    return onnx


_WRITERS: dict[Format, dict[Precision, Writer]] = {
    "onnx": {"fp32": _onnx, "int8": _onnx_int8},
    "openvino": {"fp32": _openvino, "bf16": _openvino, "int8": _openvino_int8},
    "ncnn": {"fp32": _ncnn, "bf16": _ncnn},
}


def writer(format_: Format, precision: Precision) -> Writer:
    """What writes ``format_`` in ``precision``.

    Raises:
        CheckpointError: with the table of targets, if nothing does.
    """
    check_precision(format_, precision)
    return _WRITERS[format_][precision]
