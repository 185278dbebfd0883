"""How long a weight file takes to its first logit: ours beside torch's own ``load_state_dict``.

python benchmarks/load.py --network vgg16 --runs 7
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from verydeep.architecture import zoo
from verydeep.models.build import build
from verydeep.models.classifier import PlainClassifier
from verydeep.weights.load import load


def main() -> None:
    """Time both ways in turn, so that whatever else the machine does falls on both alike."""
    parser = argparse.ArgumentParser(description="Medians from file to first logit, in s.")
    parser.add_argument("--network", default="vgg16", help="a VGG or an AlexNet of the zoo (vgg16)")
    parser.add_argument("--runs", type=int, default=7, help="of each way and file (7)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = _written(options.network, Path(folder))
        print(f"| file | verydeep, median of {options.runs}, s | torch, s | ratio | torch, bare, s | ratio |")
        print("|---|---:|---:|---:|---:|---:|")
        for file in files:
            print(_row(options.network, file, options.runs))


def _written(network: str, folder: Path) -> list[Path]:
    tensors = build(zoo.resolve(network)).state_dict()
    torch.save(tensors, folder / f"{network}.pth")
    save_file(tensors, folder / f"{network}.safetensors")
    return [folder / f"{network}.pth", folder / f"{network}.safetensors"]


def _row(network: str, file: Path, runs: int) -> str:
    ways: dict[str, Callable[[], nn.Module]] = {
        "ours": lambda: load(file).model,
        "torch": lambda: _by_torch(network, file),
        "bare": lambda: _bare(network, file),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(runs + 1):
        for name, way in ways.items():
            seconds = _seconds(way)
            if run:  # the first fills the disk's cache
                times[name].append(seconds)
    ours, theirs, bare = (statistics.median(values) for values in times.values())
    compared = f"{theirs:.2f} | {ours / theirs:.2f} | {bare:.2f} | {ours / bare:.2f}"
    return f"| `{file.suffix}` | {ours:.2f} | {compared} |"


def _by_torch(network: str, file: Path) -> nn.Module:
    """Modules built as torch builds them, every weight drawn, then loaded over: what torchvision does."""
    model = PlainClassifier(zoo.resolve(network))
    model.load_state_dict(_tensors(file))
    return model.eval()


def _bare(network: str, file: Path) -> nn.Module:
    """The least there is: the architecture known beforehand, nothing drawn and nothing checked."""
    with torch.device("meta"):
        model = PlainClassifier(zoo.resolve(network))
    model.load_state_dict(_tensors(file), assign=True)
    return model.eval()


def _tensors(file: Path) -> dict[str, torch.Tensor]:
    if file.suffix == ".safetensors":
        return load_file(file)
    tensors: dict[str, torch.Tensor] = torch.load(file, weights_only=True)
    return tensors


def _seconds(way: Callable[[], nn.Module]) -> float:
    began = time.perf_counter()
    model = way()
    with torch.inference_mode():
        model(torch.zeros(1, 3, 224, 224))
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
