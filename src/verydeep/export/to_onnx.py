"""Writes a network as one ONNX file, and its bundle description into the metadata."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from verydeep.errors import CheckpointError
from verydeep.export.graph import ExportGraph
from verydeep.runtime.bundle import KEY

OPSET = 20


def write_onnx(graph: ExportGraph, size: int | None, path: Path) -> None:
    """Write ``graph`` to ``path``, without a description.

    Args:
        graph: the network.
        size: the side of all images in px; None for images of any size.
        path: the file.

    Raises:
        CheckpointError: if the extra ``onnx`` is not installed.
    """
    onnx = import_onnx()
    _import("onnxscript")
    model = _exported(graph, size)
    model.producer_name = "verydeep"
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]  # the source lines of this machine
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def set_description(path: Path, description: str) -> None:
    """Write the bundle description into the ONNX file at ``path``."""
    onnx = import_onnx()
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {KEY: description})
    path.write_bytes(model.SerializeToString(deterministic=True))


def import_onnx() -> Any:
    """The module ``onnx``.

    Raises:
        CheckpointError: if it is not installed.
    """
    return _import("onnx")


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise CheckpointError(
            f"export needs {name} ({error}). Install it: pip install 'verydeep[onnx]'"
        ) from None


def _exported(graph: ExportGraph, size: int | None) -> Any:
    """The ONNX model; the batch can have any number of images."""
    channels, height, width = graph.model.architecture.input
    # 0 and 1 would be taken for constants, and two equal sizes for one.
    example = torch.zeros(2, channels, size or height, size or width + 1)
    dynamic = {0: torch.export.Dim.DYNAMIC}
    if size is None:
        dynamic |= {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph.eval(),
            (example,),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=["images"],
            output_names=list(graph.outputs),
            dynamic_shapes=(dynamic,),
            verbose=False,
        )
    assert program is not None
    return program.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's lines on torchvision, and warnings on its own code."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
