"""A loaded network in some runtime: from preprocessed images to named outputs."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

Images = Float32[np.ndarray, "batch channels height width"]
Outputs = tuple[Float32[np.ndarray, "..."], ...]


@runtime_checkable
class Session(Protocol):
    """What ``onnx_session.py``, ``openvino_session.py`` and ``ncnn_session.py`` give."""

    def run(self, images: Images, outputs: Sequence[str]) -> Outputs:
        """The named ``outputs`` for a batch, each with the batch as its first axis."""
