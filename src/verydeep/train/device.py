"""The device and the precision of training and evaluation, and a description for the report.

Commands that do not train import this too, so that it needs no Lightning Fabric, whose import takes longer
than that of torch.
"""

import platform
from typing import Literal

import torch

from verydeep.errors import RecipeError
from verydeep.machine import Device, WantedPrecision, memory_bytes, processor_name, usable_cores
from verydeep.models.precision import has_bf16
from verydeep.torchrun import is_launched, local_rank, local_world_size

Precision = Literal["bf16-mixed", "32-true"]


def choose_device(wanted: Device) -> torch.device:
    """The device to train on; auto takes a GPU where there is one.

    Each process that torchrun has started takes a GPU of its own.

    Raises:
        RecipeError: where the machine has no such device, or fewer than processes.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[wanted]:
        raise RecipeError(f"this machine has no device {wanted!r} that torch can use; use --device cpu")
    return _one_of_several(wanted) if is_launched() else torch.device(wanted)


def _one_of_several(wanted: Device) -> torch.device:
    number, processes = local_rank(), local_world_size()
    if wanted == "cpu":
        return torch.device("cpu")
    if wanted == "mps" and processes > 1:
        raise RecipeError(f"{processes} processes cannot share mps; use --device cpu, or start one")
    if wanted == "cuda" and processes > torch.cuda.device_count():
        present = torch.cuda.device_count()
        raise RecipeError(
            f"{processes} processes need as many GPUs, and this machine has {present}; start fewer, or use "
            "--device cpu"
        )
    return torch.device(wanted, number)


def choose_precision(wanted: WantedPrecision, device: torch.device) -> Precision:
    """bf16 where it is asked for, or where the device computes with it in hardware."""
    if wanted == "auto":
        wanted = "bf16" if has_bf16(device) else "fp32"
    return "bf16-mixed" if wanted == "bf16" else "32-true"


def describe(device: torch.device, precision: Precision) -> dict[str, str]:
    """The machine in words, for the report."""
    memory = memory_bytes()
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper(),
        "precision": "bf16, weights in fp32" if precision == "bf16-mixed" else "fp32",
        "processor": processor_name(),
        "cores": str(usable_cores()),
        "memory": "unknown" if memory is None else f"{memory / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
