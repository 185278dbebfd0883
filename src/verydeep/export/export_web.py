"""Exports a checkpoint to a folder with a page that classifies images in the browser."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from verydeep.architecture.description import Description, temperature_of
from verydeep.architecture.preprocess import Preprocess
from verydeep.atomic_write import atomic_folder
from verydeep.export.check_images import GivenImages
from verydeep.export.export_bundle import Exported, ExportRequest, at_size, bytes_of, export_bundle
from verydeep.export.ort_files import ort_files
from verydeep.models.checkpoint import Checkpoint
from verydeep.runtime.bundle import PAGE_NETWORK
from verydeep.web_page.heat_colors import INFERNO
from verydeep.web_page.page_files import page_files

DESCRIPTION = "network.json"


def export_web(
    checkpoint: Checkpoint,
    path: Path,
    request: ExportRequest,
    images: GivenImages | None = None,
    ort: Path | None = None,
) -> Exported:
    """Write ``checkpoint`` to the new folder ``path`` as a page, which any server of static files can serve.

    Args:
        checkpoint: a network with a head.
        path: the folder.
        request: how the ONNX file in it is written.
        images: for the comparison, and for the calibration of INT8; drawn shapes by default.
        ort: the folder ``dist`` of onnxruntime-web; by default that of ``npm install`` in this folder.

    Raises:
        CheckpointError: if onnxruntime-web is missing, or the network disagrees with the checkpoint.
    """
    runtime = ort_files(ort)
    description = at_size(checkpoint, request.size).description
    with atomic_folder(path) as folder:
        exported = export_bundle(checkpoint, folder / PAGE_NETWORK, request, images)
        (folder / DESCRIPTION).write_text(json.dumps(_for_page(description)), encoding="utf-8")
        for name, content in page_files("browser").items():
            (folder / name).write_bytes(content)
        (folder / "ort").mkdir()
        for file in runtime:
            shutil.copyfile(file, folder / "ort" / file.name)
        written = bytes_of(folder)
    return replace(exported, path=path, format="web", bytes=written)


def _for_page(description: Description) -> dict[str, Any]:
    """What the page has to know about the network; nothing about its training."""
    return {
        "name": description.architecture.name,
        "classes": list(description.classes),
        "temperature": temperature_of(description.origin),
        "preprocess": preprocess_for_page(description.preprocess),
        "heat_colors": INFERNO,
    }


def preprocess_for_page(preprocess: Preprocess) -> dict[str, Any]:
    """What ``preprocess.js`` reads: every value, those that follow from others too."""
    filled = {"resize": preprocess.short_side, "fit": preprocess.fit, "padding": list(preprocess.padding)}
    return preprocess.to_dict() | filled
