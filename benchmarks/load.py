"""Time from a weight file to the first logits: verydeep compared with torch's ``load_state_dict``.

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
    """Measure the loaders in turn, so that other load affects all of them equally."""
    parser = argparse.ArgumentParser(description="Median time from file to first logits, in s.")
    parser.add_argument("--network", default="vgg16", help="a VGG or an AlexNet of the zoo (vgg16)")
    parser.add_argument("--runs", type=int, default=7, help="runs per loader and file (7)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = _write_files(options.network, Path(folder))
        runs = options.runs
        print(f"| file | verydeep, median of {runs}, s | torch, s | ratio | torch, minimum, s | ratio |")
        print("|---|---:|---:|---:|---:|---:|")
        for file in files:
            print(_row(options.network, file, options.runs))


def _write_files(network: str, folder: Path) -> list[Path]:
    tensors = build(zoo.resolve(network)).state_dict()
    torch.save(tensors, folder / f"{network}.pth")
    save_file(tensors, folder / f"{network}.safetensors")
    return [folder / f"{network}.pth", folder / f"{network}.safetensors"]


def _row(network: str, file: Path, runs: int) -> str:
    loaders: dict[str, Callable[[], nn.Module]] = {
        "verydeep": lambda: load(file).model,
        "torch": lambda: _load_like_torchvision(network, file),
        "minimum": lambda: _load_without_checks(network, file),
    }
    times: dict[str, list[float]] = {name: [] for name in loaders}
    for run in range(runs + 1):
        for name, loader in loaders.items():
            seconds = _seconds(loader)
            if run:  # the first fills the disk cache
                times[name].append(seconds)
    verydeep, torchvision, minimum = (statistics.median(values) for values in times.values())
    ratios = f"{torchvision:.2f} | {verydeep / torchvision:.2f} | {minimum:.2f} | {verydeep / minimum:.2f}"
    return f"| `{file.suffix}` | {verydeep:.2f} | {ratios} |"


def _load_like_torchvision(network: str, file: Path) -> nn.Module:
    """Build the modules with random initialization, then overwrite the weights."""
    model = PlainClassifier(zoo.resolve(network))
    model.load_state_dict(_tensors(file))
    return model.eval()


def _load_without_checks(network: str, file: Path) -> nn.Module:
    """The minimum: a known architecture, no random initialization, no checks."""
    with torch.device("meta"):
        model = PlainClassifier(zoo.resolve(network))
    model.load_state_dict(_tensors(file), assign=True)
    return model.eval()


def _tensors(file: Path) -> dict[str, torch.Tensor]:
    if file.suffix == ".safetensors":
        return load_file(file)
    tensors: dict[str, torch.Tensor] = torch.load(file, weights_only=True)
    return tensors


def _seconds(loader: Callable[[], nn.Module]) -> float:
    start = time.perf_counter()
    model = loader()
    with torch.inference_mode():
        model(torch.zeros(1, 3, 224, 224))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
