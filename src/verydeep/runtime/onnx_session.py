"""Networks in ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path

from verydeep.errors import CheckpointError
from verydeep.runtime.extras import import_runtime
from verydeep.runtime.session import Images, Outputs

_ERRORS_ONLY = 3
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class OnnxSession:
    """The network in the ONNX ``file``; ``threads`` is the number of processor cores by default."""

    def __init__(self, file: Path, threads: int | None = None) -> None:
        onnxruntime = import_runtime("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = _ERRORS_ONLY
        providers = [each for each in _PROVIDERS if each in onnxruntime.get_available_providers()]
        try:
            self._session = onnxruntime.InferenceSession(file, options, providers=providers)
        except Exception as error:  # it raises its own types, RuntimeError and others
            raise CheckpointError(
                f"{file} cannot be loaded by ONNX Runtime: {error}. Export it again"
            ) from None

    def run(self, images: Images, outputs: Sequence[str]) -> Outputs:
        """The named ``outputs``; others are not computed."""
        return tuple(self._session.run(list(outputs), {"images": images}))
