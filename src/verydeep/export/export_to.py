"""Exports a checkpoint to any target: a bundle for a runtime, a module in plain torch, or a page."""

from pathlib import Path

from verydeep.export.check_images import GivenImages
from verydeep.export.export_bundle import Exported, ExportRequest, export_bundle
from verydeep.export.export_torch import export_torch
from verydeep.export.export_web import export_web
from verydeep.export.targets import Target, check_precision
from verydeep.models.checkpoint import Checkpoint
from verydeep.runtime.bundle import Precision


def export_to(
    target: Target,
    checkpoint: Checkpoint,
    path: Path,
    images: GivenImages | None = None,
    *,
    precision: Precision = "fp32",
    size: int | None = None,
    allow_loss: bool = False,
    ort: Path | None = None,
) -> Exported:
    """Write ``checkpoint`` to ``path`` for ``target``, compared with it.

    Args:
        target: a format of bundles, ``torch`` or ``web``.
        checkpoint: a network with a head.
        path: a new file for ``onnx``, a new folder for the others.
        images: for the comparison, and for the calibration of INT8; drawn shapes by default.
        precision: of the exported network.
        size: the side of images in px; None for images of any size.
        allow_loss: write it even if it disagrees with the checkpoint.
        ort: the folder of onnxruntime-web, for ``web``.

    Raises:
        CheckpointError: if ``target`` does not have the precision or the result disagrees.
    """
    check_precision(target, precision)
    if target == "torch":
        return export_torch(checkpoint, path, images, size=size, allow_loss=allow_loss)
    if target == "web":
        request = ExportRequest(format="onnx", precision=precision, size=size, allow_loss=allow_loss)
        return export_web(checkpoint, path, request, images, ort)
    request = ExportRequest(format=target, precision=precision, size=size, allow_loss=allow_loss)
    return export_bundle(checkpoint, path, request, images)
