"""An exported network, loaded: classes, preprocessing, and logits of decoded images, without torch."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from verydeep.architecture.description import Description
from verydeep.architecture.preprocess import Preprocess
from verydeep.decoding.normalize import normalize_pixels
from verydeep.errors import CheckpointError
from verydeep.runtime.bundle import EMBEDDING, LOGITS, Bundle, Format, read_bundle
from verydeep.runtime.extras import Runtime, is_installed
from verydeep.runtime.ncnn_session import NcnnSession
from verydeep.runtime.onnx_session import OnnxSession
from verydeep.runtime.openvino_session import OpenVinoSession
from verydeep.runtime.session import Outputs, Session

Pixels = UInt8[np.ndarray, "batch channels height width"]

RUNTIMES_OF: dict[Format, tuple[Runtime, ...]] = {
    "onnx": ("onnxruntime", "openvino"),
    "openvino": ("openvino",),
    "ncnn": ("ncnn",),
}
"""The runtimes that can load each format, the usual one first."""


class ExportedNetwork:
    """The network of ``bundle`` in ``session``; it classifies wherever a checkpoint does."""

    def __init__(self, bundle: Bundle, session: Session, runtime: Runtime) -> None:
        self.bundle = bundle
        self.session = session
        self.runtime = runtime

    @property
    def description(self) -> Description:
        """Everything but the weights."""
        return self.bundle.description

    @property
    def preprocess(self) -> Preprocess:
        """The preprocessing of images."""
        return self.description.preprocess

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the logits."""
        return self.description.classes

    @property
    def origin(self) -> dict[str, Any]:
        """Metadata of the training."""
        return self.description.origin

    def logits(self, pixels: Pixels) -> Float32[np.ndarray, "batch classes"]:
        """The logits of one batch of decoded images, 0 to 255 in gray or RGB order."""
        (logits,) = self.outputs(pixels, LOGITS)
        return logits

    def embedding(self, pixels: Pixels) -> Float32[np.ndarray, "batch values"]:
        """The mean of the last feature map over its positions."""
        (embedding,) = self.outputs(pixels, EMBEDDING)
        return embedding

    def outputs(self, pixels: Pixels, *names: str) -> Outputs:
        """The named outputs for one batch of decoded images, of one pass through the network.

        ``class_maps`` is the evidence for each class at each position of the last feature map, where the head
        is linear after a global average pool.

        Raises:
            CheckpointError: if there is no such output.
        """
        for name in names:
            if name not in self.bundle.export.outputs:
                raise CheckpointError(
                    f"{self.bundle.path} has no output {name}; it has {', '.join(self.bundle.export.outputs)}"
                )
        return self.session.run(normalize_pixels(pixels, self.preprocess), names)


def load_exported(
    path: Path, runtime: Runtime | None = None, *, threads: int | None = None
) -> ExportedNetwork:
    """The network in the bundle at ``path``.

    Args:
        path: an ``.onnx`` file or a folder, written by ``verydeep export``.
        runtime: which one computes; by default the usual one of the format that is installed.
        threads: of the runtime; as many as the processor has cores by default.

    Raises:
        CheckpointError: if the bundle is broken or not complete, or no runtime for it is installed.
    """
    bundle = read_bundle(path)
    runtimes = RUNTIMES_OF[bundle.export.format]
    chosen = runtime or next((each for each in runtimes if is_installed(each)), runtimes[0])
    if chosen not in runtimes:
        raise CheckpointError(
            f"{path} is in the format {bundle.export.format}, which {chosen} cannot load; "
            f"{' and '.join(runtimes)} can"
        )
    bundle.check_files()
    return ExportedNetwork(bundle, _session(bundle, chosen, threads), chosen)


def _session(bundle: Bundle, runtime: Runtime, threads: int | None) -> Session:
    if runtime == "openvino":
        return OpenVinoSession(bundle, threads)
    if runtime == "ncnn":
        return NcnnSession(bundle, threads)
    return OnnxSession(bundle.file, threads)
