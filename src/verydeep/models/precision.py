"""The precision of inference: fp32, or bf16 where the device computes with it in hardware.

bf16 has the range of fp32, and 8 of its 24 significant bits. A device that has it multiplies matrices in half
of the time or less; weights stay in fp32.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from verydeep.machine import InferencePrecision, computes_bf16


def has_bf16(device: torch.device) -> bool:
    """Whether ``device`` computes with bf16 in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return computes_bf16()
    return False


def autocast(precision: InferencePrecision, device: torch.device) -> torch.autocast:
    """Within this context, convolutions and matrix products are computed in ``precision``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@torch.inference_mode()
def bf16_error(
    compute: Callable[[Tensor], Tensor], images: Float[Tensor, "batch channels height width"]
) -> float:
    """How far the vectors of ``compute`` in bf16 are from those in fp32: the mean of |b - f| / |f|."""
    exact = compute(images).flatten(1)
    with autocast("bf16", images.device):
        rounded = compute(images).flatten(1).float()
    lengths = exact.norm(dim=1).clamp_min(torch.finfo(exact.dtype).tiny)
    return float(((rounded - exact).norm(dim=1) / lengths).mean())
