"""What a network can be exported to, and in which precisions."""

from pathlib import Path
from typing import Literal

from verydeep.errors import CheckpointError
from verydeep.runtime.bundle import Format, Precision

Target = Literal[Format, "torch", "web"]
"""A format of bundles, a module in plain torch, or a page for the browser."""
PRECISIONS: dict[Target, tuple[Precision, ...]] = {
    "onnx": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
    "ncnn": ("fp32", "bf16"),
    "torch": ("fp32",),
    "web": ("fp32", "int8"),  # the page has an ONNX file
}
"""Those that each target can be written in."""


def check_precision(target: Target, precision: Precision) -> None:
    """Check that ``target`` can be written in ``precision``.

    Raises:
        CheckpointError: with what there is, if it cannot.
    """
    if precision not in PRECISIONS[target]:
        table = "; ".join(f"{name}: {', '.join(precisions)}" for name, precisions in PRECISIONS.items())
        raise CheckpointError(f"{target} has no {precision}. What there is: {table}")


def check_suffix(target: Target, path: Path) -> None:
    """Check that what is written to ``path`` is recognized by its name.

    Raises:
        CheckpointError: if it is not.
    """
    if target == "onnx" and path.suffix != ".onnx":
        raise CheckpointError(f"{path}: a network for ONNX Runtime is a .onnx file, such as {path.stem}.onnx")
