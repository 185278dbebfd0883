"""Writes a network as a Python module and its weights, and runs that module without this package."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from safetensors.torch import save_file

from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError
from verydeep.export.torch_source import torch_source
from verydeep.models.checkpoint import Checkpoint

MODULE, WEIGHTS = "model.py", "model.safetensors"


def write_torch(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the module and the weights into ``folder``.

    Raises:
        CheckpointError: if the class names cannot be written as Python text.
    """
    (folder / MODULE).write_text(torch_source(checkpoint), encoding="utf-8")
    tensors = checkpoint.model.state_dict()
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS
    )


class WrittenModule:
    """The module in ``folder``, run by another Python in which this package cannot be imported."""

    def __init__(self, folder: Path, checkpoint: Checkpoint) -> None:
        self.folder = folder
        self.checkpoint = checkpoint

    @property
    def preprocess(self) -> Preprocess:
        """The preprocessing of images."""
        return self.checkpoint.preprocess

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the logits."""
        return self.checkpoint.classes

    @property
    def origin(self) -> dict[str, Any]:
        """Metadata of the training."""
        return self.checkpoint.origin

    def logits(
        self, pixels: UInt8[np.ndarray, "batch channels height width"]
    ) -> Float32[np.ndarray, "batch classes"]:
        """The logits that the module gives.

        Raises:
            CheckpointError: if it fails.
        """
        with TemporaryDirectory() as folder:
            images, logits = Path(folder, "images.npy"), Path(folder, "logits.npy")
            np.save(images, pixels.transpose(0, 2, 3, 1))
            _run(_LOGITS, self.folder / MODULE, images, logits)
            values: Float32[np.ndarray, "batch classes"] = np.load(logits)
        return values


_LOGITS = """
import importlib.util, sys
sys.modules["verydeep"] = None  # an import of it fails
sys.dont_write_bytecode = True
module_path, images, logits = sys.argv[1:]
spec = importlib.util.spec_from_file_location("model", module_path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
import numpy, torch
with torch.inference_mode():
    batch = torch.stack([module.normalize(image) for image in numpy.load(images)])
    numpy.save(logits, module.load()(batch).numpy())
"""


def _run(script: str, *arguments: Path) -> None:
    command = [sys.executable, "-I", "-c", script, *(str(each.absolute()) for each in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it was stopped"])[-1]
        raise CheckpointError(f"the exported module fails: {reason}. Nothing was written; export to onnx")
