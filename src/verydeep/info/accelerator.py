"""The device and the precision that `--device auto` takes. Imports torch where its build may use a GPU."""

from dataclasses import dataclass

from verydeep.info.private_text import public_text
from verydeep.info.versions import installed_version
from verydeep.machine import computes_bf16

CPU_BUILD = "+cpu"
"""At the end of the version of a torch that has no code for a GPU."""


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """Where networks compute."""

    device: str
    """As ``--device`` has it: cpu, cuda or mps."""
    gpu: str | None = None
    """The name of the GPU; None where there is none that torch can use."""
    gpu_memory: int | None = None
    """In bytes."""
    cuda: str | None = None
    """The version of CUDA that torch was built with."""
    bf16: bool = False
    """Whether the device computes bf16 in hardware; then training is in mixed precision."""
    problem: str | None = None
    """Why torch cannot be imported."""


def find_accelerator() -> Accelerator:
    """The device of this machine; of a torch without code for a GPU, by its version alone."""
    version = installed_version("torch")
    if version is None or version.endswith(CPU_BUILD):
        problem = "torch is not installed" if version is None else None
        return Accelerator(device="cpu", bf16=computes_bf16(), problem=problem)
    try:
        return _accelerator_of_torch()
    except Exception as error:  # a broken installation fails in any way, and this is how it is reported
        problem = public_text(f"{type(error).__name__}: {error}")
        return Accelerator(device="cpu", bf16=computes_bf16(), problem=problem)


def _accelerator_of_torch() -> Accelerator:
    import torch

    from verydeep.train.device import choose_device, choose_precision

    device = choose_device("auto")
    bf16 = choose_precision("auto", device) == "bf16-mixed"
    if device.type != "cuda":
        gpu = "Apple GPU" if device.type == "mps" else None
        return Accelerator(device=device.type, gpu=gpu, cuda=torch.version.cuda, bf16=bf16)
    properties = torch.cuda.get_device_properties(device)
    return Accelerator(
        device="cuda", gpu=properties.name, gpu_memory=properties.total_memory, cuda=torch.version.cuda,
        bf16=bf16,
    )  # fmt: skip
