"""A-LRN beside A, with the package's local response normalization and with torch's: training steps, in turns.

.venv/bin/python benchmarks/local_norm.py --size 224 --batch 4
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from verydeep.architecture import zoo
from verydeep.models.build import build
from verydeep.models.local_norm import LocalResponseNorm


def main() -> None:
    """Print a row for each precision."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    images = torch.randn(arguments.batch, 3, arguments.size, arguments.size)
    networks = {name: _network(name, arguments.size) for name in ("A", "A-LRN")}
    networks["torch"] = _with_torchs_norm(_network("A-LRN", arguments.size))
    for precision in (torch.float32, torch.bfloat16):
        steps = {name: _step(model, images, precision) for name, model in networks.items()}
        times = _in_turns(steps, arguments.repeats)
        ours, torchs = times["A-LRN"] / times["A"], times["torch"] / times["A"]
        name = str(precision).removeprefix("torch.")
        print(f"{name:9} A {1e3 * times['A']:.0f} ms, A-LRN {ours:.2f} times that, {torchs:.2f} with torch's")


def _network(name: str, size: int) -> nn.Module:
    model = build(zoo.resolve(name).with_input(3, (size, size)))
    convert_conv2d_weight_memory_format(model, torch.channels_last)
    return model


def _with_torchs_norm(model: nn.Module) -> nn.Module:
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, LocalResponseNorm):
                setattr(parent, name, nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0))
    return model


def _step(model: nn.Module, images: Tensor, precision: torch.dtype) -> Callable[[], None]:
    def run() -> None:
        model.zero_grad()
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            loss = model(images).float().square().mean()
        loss.backward()

    return run


def _in_turns(steps: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """The median seconds of each step, after one that warms up."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(repeats + 1):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            if number:
                times[name].append(time.perf_counter() - began)
    return {name: median(each) for name, each in times.items()}


if __name__ == "__main__":
    main()
