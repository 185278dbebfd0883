"""Networks in OpenVINO, on the processor: its own files, and ONNX files."""

from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import Any

import numpy as np

from verydeep.errors import CheckpointError
from verydeep.runtime.bundle import Bundle, Precision
from verydeep.runtime.extras import import_runtime
from verydeep.runtime.session import Images, Outputs

_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""The precision of all layers that are not quantized. Left to itself, OpenVINO takes bf16 on some processors,
whatever the file has."""
_LARGEST_BF16_ERROR = 0.5
"""Relative to the largest value. bf16 is within .05; a broken kernel gives other values altogether."""
_FIRST_CORE = Lock()


class OpenVinoSession:
    """The network of ``bundle``; ``threads`` is the number of processor cores by default.

    A network in bf16 computes in fp32 where the processor has no bf16, or where its results are wrong
    (openvino#38256: on Zen 5 in 2026.4.0).
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        core = _shared_core()
        self._lock = Lock()
        try:
            model = core.read_model(bundle.file)
            precision = bundle.export.precision
            if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
                precision = "fp32"
            self._request = _request(core, model, precision, threads)
            if precision == "bf16":
                in_fp32 = _request(core, model, "fp32", threads)
                if not _agree(self._request, in_fp32, bundle):
                    self._request = in_fp32
        except Exception as error:  # it raises RuntimeError and others
            raise CheckpointError(
                f"{bundle.file} cannot be loaded by OpenVINO: {_reason(error)}. Export it again"
            ) from None

    def run(self, images: Images, outputs: Sequence[str]) -> Outputs:
        """The named ``outputs``."""
        with self._lock:  # a request holds the outputs of one batch
            values = self._request.infer({"images": images})
        return tuple(values[name] for name in outputs)


def _shared_core() -> Any:
    """The ``Core`` of this process: one, which stays until its end.

    Each gives its thread a stack for signal handlers (openvino#11894), and puts the former one back when it
    is deleted. After two, the first deleted first, that one is memory that is no longer there, and the next
    signal, such as Ctrl-C, ends the process with a segmentation fault.
    """
    with _FIRST_CORE:
        return _new_core()


@cache
def _new_core() -> Any:
    return import_runtime("openvino").Core()


def _request(core: Any, model: Any, precision: Precision, threads: int | None) -> Any:
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": _HINTS[precision]}
    if threads is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    return core.compile_model(model, "CPU", options).create_infer_request()


def _agree(first: Any, second: Any, bundle: Bundle) -> bool:
    """Whether the outputs of both are similar, for an image of noise."""
    size = bundle.export.size or bundle.preprocess.size
    noise = np.random.default_rng(0).standard_normal((1, bundle.preprocess.channels, size, size), np.float32)
    pairs = zip(
        first.infer({"images": noise}).values(), second.infer({"images": noise}).values(), strict=True
    )
    return all(np.abs(a - b).max() <= _LARGEST_BF16_ERROR * max(np.abs(b).max(), 1e-12) for a, b in pairs)


def _reason(error: Exception) -> str:
    """The last line of an error of OpenVINO; those before it name its source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else repr(error)
