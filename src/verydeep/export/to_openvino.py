"""Writes a network as OpenVINO IR, through ONNX, which keeps the shapes."""

from pathlib import Path

from verydeep.runtime.bundle import FILES
from verydeep.runtime.extras import import_runtime


def write_openvino(onnx: Path, folder: Path, *, compress: bool) -> None:
    """Write the network in the file ``onnx`` to ``folder``.

    Args:
        onnx: the network.
        folder: gets ``model.xml`` and ``model.bin``.
        compress: store weights in fp16, for a network that computes in bf16: half the bytes, and 11 bits of
            precision where bf16 has 8. Weights outside the range of fp16 stay in fp32.

    Raises:
        CheckpointError: if OpenVINO is not installed.
    """
    openvino = import_runtime("openvino")
    openvino.save_model(openvino.convert_model(onnx), folder / FILES["openvino"], compress_to_fp16=compress)
