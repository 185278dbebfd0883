"""Prediction of files beside the bare network, in one run; and the peak memory for few and many files.

python benchmarks/predict.py --network vgg16 --images 200
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import verydeep as vd
from verydeep.architecture.preprocess import IMAGENET
from verydeep.evaluate.logits import images_at_once
from verydeep.evaluate.predict import predict


def main() -> None:
    """Print images a second, both ways in turn, and peak memory in MB."""
    parser = argparse.ArgumentParser(description="Predict files, beside the bare network.")
    parser.add_argument("--network", default="vgg16", help="(vgg16)")
    parser.add_argument("--images", type=int, default=200, help="of 500 x 375 px, a turn (200)")
    parser.add_argument("--turns", type=int, default=3, help="(3)")
    parser.add_argument("--memory", type=int, nargs="*", default=[1_000, 10_000], help="numbers of files")
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_of:
        print(peak(arguments.peak_of))
        return
    print("| files | peak memory, MB |\n|---:|---:|")
    for count in arguments.memory:  # before this process grows: its peak would count as its children's
        with tempfile.TemporaryDirectory() as folder:
            draw(Path(folder), count, (100, 75))
            command = [sys.executable, __file__, "--peak-of", folder]
            print(f"| {count:,} | {subprocess.check_output(command, text=True).strip()} |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        throughput(arguments.network, arguments.images, arguments.turns, Path(folder))


def throughput(name: str, count: int, turns: int, folder: Path) -> None:
    """Images a second from files and from pixels that lie ready, best of ``turns``."""
    draw(folder, count, (500, 375))
    files = sorted(folder.iterdir())
    network = vd.Checkpoint(vd.build(name).eval(), IMAGENET, tuple(map(str, range(1000))))
    ready = torch.zeros(images_at_once(IMAGENET.size**2), 3, 224, 224, dtype=torch.uint8)
    bare, whole = [], []
    for _ in range(turns):
        began, seen = time.perf_counter(), 0
        while seen < count:
            seen += len(vd.predict_logits(network.model, ready[: count - seen], IMAGENET))
        bare.append(count / (time.perf_counter() - began))
        began = time.perf_counter()
        assert sum(map(len, predict(network, files))) == count
        whole.append(count / (time.perf_counter() - began))
    print(
        "\n| network | threads | bare, images/s | from files, images/s | share |\n|---|---:|---:|---:|---:|"
    )
    share = max(whole) / max(bare)
    print(
        f"| `{name}` | {torch.get_num_threads()} | {max(bare):.2f} | {max(whole):.2f} | {share:.1%} |",
        flush=True,
    )


def peak(folder: Path) -> str:
    """The most memory of this process after a small network has named all of ``folder``."""
    model = vd.build("8 M 16 M | gap", size=32).eval()
    network = vd.Checkpoint(model, IMAGENET.for_input(3, 32), tuple(map(str, range(1000))))
    for _ in predict(network, sorted(folder.iterdir()), top=5):
        pass
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f}"


def draw(folder: Path, count: int, size: tuple[int, int]) -> None:
    """``count`` JPEGs with the frequencies of photographs."""
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(random.integers(256, size=(24, 32, 3), dtype=np.uint8))
        if number < 50:  # further ones are copies
            coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number:06}.jpg", quality=90)
        else:
            (folder / f"{number:06}.jpg").write_bytes((folder / f"{number % 50:06}.jpg").read_bytes())


if __name__ == "__main__":
    main()
