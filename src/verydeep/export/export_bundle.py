"""Exports a checkpoint to a bundle for another runtime; a bundle that disagrees with it is not written."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verydeep.atomic_write import atomic_folder, atomic_write
from verydeep.decoding.normalize import normalize_pixels
from verydeep.errors import CheckpointError
from verydeep.export.check_images import CheckImages, GivenImages, drawn_images
from verydeep.export.graph import ExportGraph
from verydeep.export.parity import MAX_ERROR, MIN_AGREEMENT, Parity, measure_parity
from verydeep.export.to_onnx import set_description
from verydeep.export.writers import ExportJob, writer
from verydeep.models.checkpoint import Checkpoint
from verydeep.prediction.network import Network
from verydeep.runtime.bundle import DESCRIPTION, ExportInfo, Format, Precision, bundle_json
from verydeep.runtime.exported_network import load_exported
from verydeep.runtime.file_checksum import file_checksum


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What is to be exported, and how."""

    format: Format
    precision: Precision = "fp32"
    size: int | None = None
    """The side of all images in px; None for images of any size."""
    allow_loss: bool = False
    """Write the bundle even if it disagrees with the checkpoint more than its precision explains."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    path: Path
    format: str
    """The format of a bundle, ``torch`` or ``web``."""
    precision: Precision
    size: int | None
    """The side of the only images that it accepts, in px; None where every size fits."""
    outputs: tuple[str, ...]
    parity: Parity
    bytes: int

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "path": str(self.path),
            "format": self.format,
            "precision": self.precision,
            "size": self.size,
            "outputs": list(self.outputs),
            "bytes": self.bytes,
            "parity": self.parity.values,
        }


def at_size(checkpoint: Checkpoint, size: int | None) -> Checkpoint:
    """``checkpoint`` for images of ``size`` px.

    Raises:
        ShapeError: if they are too small for its layers.
    """
    preprocess = checkpoint.preprocess
    if size is None or size == preprocess.size:
        return checkpoint
    resized = replace(checkpoint, preprocess=preprocess.for_input(preprocess.channels, size))
    _map_side(resized)  # raises where it is too small
    return resized


def _map_side(checkpoint: Checkpoint) -> int:
    """The side of the last feature map for images of its preprocessing."""
    preprocess = checkpoint.preprocess
    size = (preprocess.channels, preprocess.size, preprocess.size)
    return min(replace(checkpoint.model.architecture, input=size).map_shape[1:])


def copied_values(checkpoint: Checkpoint) -> str | None:
    """What to say where its images give a last feature map that is smaller than what its head reads."""
    side, grid, size = (
        _map_side(checkpoint),
        checkpoint.model.architecture.head.grid,
        checkpoint.preprocess.size,
    )
    if side >= grid:
        return None
    return (
        f"{size} x {size} images give a last feature map of {side} x {side}, of which values are copied to "
        f"the {grid} x {grid} that the head reads: expect a lower accuracy, or give a larger --size"
    )


def export_bundle(
    checkpoint: Checkpoint, path: Path, request: ExportRequest, images: GivenImages | None = None
) -> Exported:
    """Write ``checkpoint`` to ``path`` as a bundle: an ``.onnx`` file, or a folder for the other formats.

    It is loaded again and compared with the checkpoint, before it gets its name.

    Args:
        checkpoint: a network with a head.
        path: where the bundle is written.
        request: the format, the precision and the size.
        images: for the comparison, and for the calibration of INT8; drawn shapes by default.

    Raises:
        CheckpointError: if the format does not have the precision, INT8 has no images, the size is too small,
            or the written network disagrees with the checkpoint.
    """
    write = writer(request.format, request.precision)
    calibration = images.calibration if images else None
    if request.precision == "int8" and calibration is None:
        raise CheckpointError("INT8 is calibrated on your own images; give them, such as --int8 photos/")
    network = at_size(checkpoint, request.size)
    graph = ExportGraph(network.model)
    info = ExportInfo(
        format=request.format, precision=request.precision, size=request.size, outputs=graph.outputs
    )
    job = ExportJob(
        graph=graph,
        size=request.size,
        precision=request.precision,
        calibration=normalize_pixels(calibration.pixels, network.preprocess) if calibration else None,
    )
    new_bundle = atomic_write if request.format == "onnx" else atomic_folder
    with new_bundle(path) as temporary:
        write(job, temporary)
        if temporary.is_dir():
            info = replace(info, files={file.name: file_checksum(file) for file in temporary.iterdir()})
        _describe(temporary, bundle_json(network.description, info))
        parity = checked(
            network,
            load_exported(temporary),
            images.check if images else drawn_images(network.preprocess),
            precision=request.precision,
            size=request.size,
            allow_loss=request.allow_loss,
        )
        info = replace(info, parity=parity.values)
        _describe(temporary, bundle_json(network.description, info))
        size = bytes_of(temporary)
    return Exported(
        path=path,
        format=info.format,
        precision=info.precision,
        size=info.size,
        outputs=info.outputs,
        parity=parity,
        bytes=size,
    )


def _describe(bundle: Path, description: str) -> None:
    if bundle.is_dir():
        (bundle / DESCRIPTION).write_text(description, encoding="utf-8")
    else:
        set_description(bundle, description)


def checked(
    checkpoint: Checkpoint,
    network: Network,
    images: CheckImages,
    *,
    precision: Precision = "fp32",
    size: int | None,
    allow_loss: bool,
) -> Parity:
    """The parity of the written ``network``, at other sizes too where ``size`` is None.

    Raises:
        CheckpointError: if it is not accepted.
    """
    sizes = _other_sizes(checkpoint) if size is None else ()
    parity = measure_parity(checkpoint, network, images, precision, sizes)
    if not parity.is_accepted and not allow_loss:
        raise CheckpointError(_refusal(parity))
    return parity


def _other_sizes(network: Checkpoint) -> tuple[tuple[int, int], ...]:
    """Two larger sizes, one of them not square."""
    side = network.preprocess.size
    return (side + side // 4 + 1, side + side // 4 + 1), (side + side // 2, side + side // 8 + 1)


def _refusal(parity: Parity) -> str:
    accuracy = (
        ""
        if parity.accuracy_before is None or parity.accuracy_after is None
        else f", accuracy {parity.accuracy_before:.2%} before and {parity.accuracy_after:.2%} after"
    )
    return (
        f"the exported network disagrees with the checkpoint on {parity.description}: relative error of "
        f"logits {parity.relative_error:.2g} (at most {MAX_ERROR[parity.precision]:g}), the same class for "
        f"{parity.agreement:.1%} (at least {MIN_AGREEMENT:.0%}){accuracy}. Nothing was written; --allow-loss "
        "writes it all the same"
    )


def bytes_of(bundle: Path) -> int:
    """The size on disk of a file or a folder."""
    files = [bundle] if bundle.is_file() else [each for each in bundle.rglob("*") if each.is_file()]
    return sum(file.stat().st_size for file in files)
