"""The bytes that a rank sends in a training step, data parallel and hybrid, counted at the collectives.

    .venv/bin/python benchmarks/exchanged_bytes.py vgg16 --ranks 8 --images 64

The step is that of the training loop, on tensors without values, in a process group that exchanges nothing:
it needs neither GPUs nor memory.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, distributed, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import TorchDispatchMode

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.machine import WantedPrecision
from verydeep.models.build import build_empty
from verydeep.models.stages import TrainablePart, split_at_stage
from verydeep.train.parallel.hybrid_head import HybridHead
from verydeep.train.run import fabric_on
from verydeep.train.slices import BatchPosition, backward_in_slices

DTYPES: dict[WantedPrecision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


class SentBytes(TorchDispatchMode):
    """Counts what each collective sends from this rank."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "c10d":
            ranks = distributed.get_world_size()
            if "alltoall" in func.name():
                self.count += args[1].nbytes * (ranks - 1) // ranks
            elif "allgather" in func.name():
                self.count += sum(tensor.nbytes for tensor in _tensors(args[1])) * (ranks - 1)
            else:
                raise RuntimeError(f"{func.name()} is not counted")
        return func(*args, **(kwargs or {}))


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    else:
        for value in values:
            yield from _tensors(value)


def sent(
    architecture: Architecture, images: int, ranks: int, precision: WantedPrecision, *, hybrid: bool
) -> int:
    """The bytes that a rank sends in a step on ``images`` of its own."""
    fabric = fabric_on(torch.device("cpu"), precision)
    with FakeTensorMode() as without_values:
        part = _part(architecture)
        if hybrid:
            part.head = HybridHead(*part.head)
            for parameter, dimension in part.head.split_parameters.items():
                parameter.data = parameter.data.chunk(ranks, dimension)[0].clone()
        pixels = torch.empty(images, *architecture.input)
        labels = torch.zeros(images, dtype=torch.int64)
    step = backward_in_slices(part, ranks, functional.cross_entropy, fabric, exchanged=DTYPES[precision])
    with step as backward, without_values, cast(Callable[[], SentBytes], SentBytes)() as counted:
        backward(pixels, labels, BatchPosition(images * ranks, seed=0, epoch=0, step=0))
    return int(counted.count)


def _part(architecture: Architecture) -> TrainablePart:
    """In training mode, with parameters that have no values."""
    model = build_empty(architecture)
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            module.register_parameter(name, nn.Parameter(torch.empty(parameter.shape, device="cpu")))
        for name, buffer in list(module.named_buffers(recurse=False)):
            module.register_buffer(name, torch.zeros(buffer.shape, dtype=buffer.dtype, device="cpu"))
    _, part = split_at_stage(model, None)
    part.train()
    return part


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="+", help="names of the zoo")
    parser.add_argument("--ranks", type=int, default=8)
    parser.add_argument("--images", type=int, default=64, help="of each rank")
    asked = parser.parse_args()
    distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=asked.ranks)
    print("| network | precision | data parallel, MB | hybrid, MB |\n|---|---|---:|---:|")
    for name in asked.networks:
        architecture = zoo.resolve(name)
        for precision in DTYPES:
            data, hybrid = (
                sent(architecture, asked.images, asked.ranks, precision, hybrid=hybrid) / 1e6
                for hybrid in (False, True)
            )
            print(f"| {name} | {precision} | {data:.0f} | {hybrid:.0f} |")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
