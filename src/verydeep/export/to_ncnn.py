"""Writes a network for ncnn: torch traces it, and ncnn's own converter pnnx reads the trace."""

import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import torch

from verydeep.errors import CheckpointError
from verydeep.export.graph import ExportGraph
from verydeep.runtime.bundle import FILES

_TRACE = "model.pt"


def write_ncnn(graph: ExportGraph, size: int, folder: Path, scratch: Path, *, compress: bool) -> None:
    """Write ``graph`` to ``folder``, for images of ``size`` px.

    Args:
        graph: the network.
        size: the side of all images in px.
        folder: gets ``model.ncnn.param`` and ``model.ncnn.bin``.
        scratch: an empty folder for what pnnx writes beside them.
        compress: store weights in fp16, for a network that computes in bf16.

    Raises:
        CheckpointError: if pnnx is not installed, or fails.
    """
    program = _pnnx()
    channels = graph.model.architecture.input[0]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer, about sizes, which are fixed here
        trace = torch.jit.trace(graph.eval(), torch.zeros(1, channels, size, size))
        torch.jit.save(trace, scratch / _TRACE)
    shape = f"inputshape=[1,{channels},{size},{size}]"
    done = subprocess.run(
        [program, _TRACE, shape, f"fp16={int(compress)}"], cwd=scratch, capture_output=True, check=False
    )
    param = scratch / FILES["ncnn"]
    weights = param.with_suffix(".bin")
    if done.returncode or not param.is_file() or not weights.is_file():
        raise CheckpointError(
            f"pnnx cannot convert this network (exit code {done.returncode}). Export it to onnx or openvino"
        )
    for file in (param, weights):
        file.replace(folder / file.name)


def _pnnx() -> Path:
    """The program in the package of the same name."""
    found = find_spec("pnnx")
    if found is None or found.origin is None:
        raise CheckpointError("export to ncnn needs pnnx. Install it: pip install 'verydeep[ncnn]'")
    return Path(found.origin).with_name("pnnx.exe" if sys.platform == "win32" else "pnnx")
