"""Training memory, saved tensors and peak: estimated, measured, and their ratio.

python benchmarks/memory.py
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

import verydeep as vd
from verydeep.analyze.dtypes import Dtype, Optimizer
from verydeep.analyze.memory import estimate_memory
from verydeep.models.stages import split_at_stage
from verydeep.train.optimizer.build import build_optimizers
from verydeep.train.optimizer.config import OptimizerConfig

CASES: tuple[tuple[str, int], ...] = (("vgg16_bn", 8), ("resnet18", 16), ("vgg-small", 500), ("alexnet", 64))
"""Networks with batch sizes that need less than 4 GB."""


@dataclass(frozen=True)
class Measured:
    """Bytes of one training step on a CPU."""

    saved: int
    """The storages that autograd saved, without those of the network."""
    peak: int
    """Weights, optimizer state and images, and the maximum that torch's allocator allocated in addition."""


def main() -> None:
    """Measure each case and print one row per case."""
    parser = argparse.ArgumentParser(description="Training memory: estimated and measured.")
    parser.add_argument("--optimizer", choices=("sgd", "adam"), default="sgd", help="default: sgd")
    optimizer = parser.parse_args().optimizer
    columns = "estimated, MB | measured, MB | ratio"
    print(f"| case, {optimizer} | saved: {columns} | peak: {columns} |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, batch in CASES:
        for dtype in ("fp32", "bf16"):
            print(row(name, batch, optimizer, dtype))


def row(name: str, batch: int, optimizer: Optimizer, dtype: Dtype) -> str:
    """One row of the table."""
    architecture = vd.resolve(name)
    estimate = estimate_memory(architecture, batch, optimizer, dtype)
    measured = measure(architecture, batch, optimizer, dtype)
    cells = [f"`{name}`, {batch}, {dtype}"]
    for expected, actual in (
        (estimate.activations + estimate.weight_copies, measured.saved),
        (estimate.peak.bytes(batch), measured.peak),
    ):
        cells += [f"{expected / 1e6:,.1f}", f"{actual / 1e6:,.1f}", f"{expected / actual:.3f}"]
    return f"| {' | '.join(cells)} |"


def measure(architecture: vd.Architecture, batch: int, optimizer: Optimizer, dtype: Dtype) -> Measured:
    """One training step as in ``train/loop.py``, after a first step that creates the optimizer state."""
    model = vd.build(architecture)
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed" if dtype == "bf16" else "32-true")
    module = fabric.setup_module(model)
    _, part = split_at_stage(model, None)
    (built,) = build_optimizers(part, OptimizerConfig(name=optimizer, lr=1e-6))
    stepper = cast(torch.optim.Optimizer, fabric.setup_optimizers(built))
    images, labels = torch.randn(batch, *architecture.input), torch.randint(architecture.classes, (batch,))

    def forward() -> Tensor:
        return functional.cross_entropy(module(images), labels)

    def step() -> None:
        fabric.backward(forward())
        stepper.step()
        stepper.zero_grad()

    saved = saved_bytes(model, forward)
    step()
    resident = [*model.parameters(), *model.buffers(), images, *state_tensors(built)]
    return Measured(saved, sum(tensor.nbytes for tensor in resident) + peak_allocated(step))


def saved_bytes(model: nn.Module, forward: Callable[[], Tensor]) -> int:
    """The bytes of all storages that autograd saves in ``forward``, each once, without those of the model."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    saved = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage  # keeps the storage alive, so that its address is not used again
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        forward()
    return sum(storage.nbytes() for address, storage in saved.items() if address not in own)


def peak_allocated(step: Callable[[], None]) -> int:
    """The maximum of the bytes that torch's CPU allocator has allocated during ``step``."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    allocated = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        allocated += event.nbytes()
        peak = max(peak, allocated)
    return peak


def state_tensors(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The tensors of the optimizer state."""
    states = (value for state in optimizer.state.values() for value in state.values())
    return [value for value in states if isinstance(value, Tensor)]


if __name__ == "__main__":
    main()
