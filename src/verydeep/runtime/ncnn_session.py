"""Networks in ncnn, on the processor."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from verydeep.errors import CheckpointError
from verydeep.runtime.bundle import Bundle
from verydeep.runtime.extras import import_runtime
from verydeep.runtime.session import Images, Outputs


class NcnnSession:
    """The network of ``bundle``; ``threads`` is the number of processor cores by default."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self._ncnn = import_runtime("ncnn")
        self._names = bundle.export.outputs
        self._net = self._ncnn.Net()
        options = self._net.opt
        # By default weights and layers are in fp16 where the processor has it, which is 1e-3 off.
        options.use_fp16_storage = options.use_fp16_packed = options.use_fp16_arithmetic = False
        options.use_bf16_storage = bundle.export.precision == "bf16"
        if threads is not None:
            options.num_threads = threads
        weights = bundle.file.with_suffix(".bin")
        _require(weights.is_file() and self._net.load_param(str(bundle.file)) == 0, bundle.file)
        _require(self._net.load_model(str(weights)) == 0, weights)

    def run(self, images: Images, outputs: Sequence[str]) -> Outputs:
        """The named ``outputs``; ncnn takes the images one by one."""
        rows = [self._run_one(image, outputs) for image in images]
        return tuple(np.stack(values) for values in zip(*rows, strict=True))

    def _run_one(
        self, image: Float32[np.ndarray, "channels height width"], outputs: Sequence[str]
    ) -> list[Float32[np.ndarray, "..."]]:
        extractor = self._net.create_extractor()
        extractor.input("in0", self._ncnn.Mat(image).clone())  # a copy with the alignment of ncnn
        return [self._extract(extractor, name) for name in outputs]

    def _extract(self, extractor: Any, name: str) -> Float32[np.ndarray, "..."]:
        status, values = extractor.extract(f"out{self._names.index(name)}")
        if status != 0:
            raise CheckpointError(f"ncnn cannot compute {name} (status {status}). Export the network again")
        return np.array(values)


def _require(is_loaded: bool, file: Path) -> None:
    if not is_loaded:
        raise CheckpointError(f"{file} cannot be loaded by ncnn. Export the network again")
