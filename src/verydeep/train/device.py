"""The device and the precision of training and evaluation, and a description for the report."""

import os
import platform
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric import Fabric

from verydeep.errors import RecipeError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["bf16-mixed", "32-true"]
WantedPrecision = Literal["auto", "fp32", "bf16"]


def choose_device(wanted: Device) -> torch.device:
    """The device to train on; auto takes a GPU where there is one.

    Raises:
        RecipeError: where the machine has no such device.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[wanted]:
        raise RecipeError(f"this machine has no device {wanted!r} that torch can use; use --device cpu")
    return torch.device(wanted)


def choose_precision(wanted: WantedPrecision, device: torch.device) -> Precision:
    """bf16 where it is asked for, or where the device computes with it in hardware."""
    if wanted == "auto":
        wanted = "bf16" if _has_bf16(device) else "fp32"
    return "bf16-mixed" if wanted == "bf16" else "32-true"


def fabric_on(device: torch.device, wanted: WantedPrecision = "auto") -> Fabric:
    """Lightning Fabric on one device, in the precision that suits it."""
    return Fabric(accelerator=device.type, devices=1, precision=choose_precision(wanted, device))


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        flags = _cpuinfo().get("flags", "").split()
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False


def describe(device: torch.device, precision: Precision) -> dict[str, str]:
    """The machine in words, for the report."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper(),
        "precision": "bf16, weights in fp32" if precision == "bf16-mixed" else "fp32",
        "processor": _cpuinfo().get("model name") or platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _cpuinfo() -> dict[str, str]:
    """The first processor of /proc/cpuinfo; empty where the system has no such file."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return {}
    first = file.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):
        return "unknown"
    return f"{size / 1e9:.0f} GB"
