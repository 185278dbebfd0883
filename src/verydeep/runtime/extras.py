"""Runtimes are optional dependencies: an error names the extra that brings a missing one."""

import os
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Literal

from verydeep.distribution import install_command
from verydeep.errors import CheckpointError

Runtime = Literal["onnxruntime", "openvino", "ncnn"]
RuntimeFlag = Literal["auto", Runtime]
"""``auto`` is the fastest one on this machine: ``fastest_runtime.py``."""
TIMINGS = "runtimes/timings"
"""The folder in the cache with the times of ``auto``."""
_EXTRAS: dict[Runtime, str] = {"onnxruntime": "onnx", "openvino": "openvino", "ncnn": "ncnn"}


def is_installed(runtime: Runtime) -> bool:
    """Whether ``runtime`` can be imported."""
    return find_spec(runtime) is not None


def require_installed(runtime: Runtime) -> None:
    """Check that ``runtime`` can be imported.

    Raises:
        CheckpointError: if it cannot.
    """
    if not is_installed(runtime):
        raise CheckpointError(f"{runtime} is not installed. Install it: {install_command(_EXTRAS[runtime])}")


def import_runtime(runtime: Runtime) -> Any:
    """The module of ``runtime``.

    Raises:
        CheckpointError: if it is not installed.
    """
    disable_telemetry()
    try:
        return import_module(runtime)
    except ImportError as error:
        raise CheckpointError(
            f"this network needs {runtime} ({error}). Install it: {install_command(_EXTRAS[runtime])}"
        ) from None


def runtime_version(runtime: str) -> str:
    """The version of ``runtime`` or torch, without importing it."""
    try:
        return version(runtime)
    except PackageNotFoundError:  # installed under another name, such as onnxruntime-gpu
        return "unknown version"


def disable_telemetry() -> None:
    """Keep the runtimes from reporting imports and conversions to others.

    OpenVINO and NNCF report to Google Analytics by a package of its own, and do without where it cannot be
    imported. ONNX Runtime 1.31 reports to Microsoft, on Linux, too, and keeps an ID of the machine.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
