"""What training keeps in memory, and the most at one moment: forecast, measured, and their ratio.

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
from verydeep.analyze.memory import forecast
from verydeep.train.optimizer import OptimizerConfig, build_optimizers

CASES: tuple[tuple[str, int], ...] = (("vgg16_bn", 8), ("resnet18", 16), ("vgg-small", 500), ("alexnet", 64))
"""Networks, and batches that stay under 4 GB."""


@dataclass(frozen=True)
class Measured:
    """Bytes of one training step on a CPU."""

    kept: int
    """The different storages that autograd saved, without the network's own."""
    peak: int
    """Weights, optimizer and images, and the most that torch's allocator had handed out besides."""


def main() -> None:
    """Measure each case; print a row each."""
    parser = argparse.ArgumentParser(description="Training memory: forecast and measured.")
    parser.add_argument("--optimizer", choices=("sgd", "adam"), default="sgd", help="(sgd)")
    optimizer = parser.parse_args().optimizer
    columns = "forecast, MB | measured, MB | ratio"
    print(f"| case, {optimizer} | kept: {columns} | peak: {columns} |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, batch in CASES:
        for dtype in ("fp32", "bf16"):
            print(row(name, batch, optimizer, dtype))


def row(name: str, batch: int, optimizer: Optimizer, dtype: Dtype) -> str:
    """One row of the table."""
    architecture = vd.resolve(name)
    foreseen = forecast(architecture, batch, optimizer, dtype)
    measured = measure(architecture, batch, optimizer, dtype)
    cells = [f"`{name}`, {batch}, {dtype}"]
    for expected, actual in (
        (foreseen.activations + foreseen.weight_copies, measured.kept),
        (foreseen.peak.bytes(batch), measured.peak),
    ):
        cells += [f"{expected / 1e6:,.1f}", f"{actual / 1e6:,.1f}", f"{expected / actual:.3f}"]
    return f"| {' | '.join(cells)} |"


def measure(architecture: vd.Architecture, batch: int, optimizer: Optimizer, dtype: Dtype) -> Measured:
    """One step as ``train/loop.py`` makes it, after one that fills the optimizer's state."""
    model = vd.build(architecture)
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed" if dtype == "bf16" else "32-true")
    module = fabric.setup_module(model)
    (steps,) = build_optimizers(model, OptimizerConfig(name=optimizer, lr=1e-6))
    stepper = cast(torch.optim.Optimizer, fabric.setup_optimizers(steps))
    images, labels = torch.randn(batch, *architecture.input), torch.randint(architecture.classes, (batch,))

    def forward() -> Tensor:
        return functional.cross_entropy(module(images), labels)

    def step() -> None:
        fabric.backward(forward())
        stepper.step()
        stepper.zero_grad()

    kept = kept_bytes(model, forward)
    step()
    resident = [*model.parameters(), *model.buffers(), images, *state_tensors(steps)]
    return Measured(kept, sum(tensor.nbytes for tensor in resident) + most_allocated(step))


def kept_bytes(model: nn.Module, forward: Callable[[], Tensor]) -> int:
    """The bytes of all storages that autograd saves in ``forward``, each once, without the model's own."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    saved = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage  # held, so that no other takes its address
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        forward()
    return sum(storage.nbytes() for place, storage in saved.items() if place not in own)


def most_allocated(step: Callable[[], None]) -> int:
    """The most bytes that torch's CPU allocator has handed out at one moment of ``step``."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def state_tensors(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """What the optimizer remembers."""
    states = (value for state in optimizer.state.values() for value in state.values())
    return [value for value in states if isinstance(value, Tensor)]


if __name__ == "__main__":
    main()
