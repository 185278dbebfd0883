"""Throughput of prediction from files, beside inference alone; and peak memory for few and many files.

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
from verydeep.evaluate.logits import auto_batch_size
from verydeep.evaluate.predict import predict


def main() -> None:
    """Print images per second of both, measured alternately, and peak memory in MB."""
    parser = argparse.ArgumentParser(description="Prediction from files, beside inference alone.")
    parser.add_argument(
        "--network", default="vgg16", help="a network for 1000 classes of color images (vgg16)"
    )
    parser.add_argument("--images", type=int, default=200, help="images of 500 x 375 px per repetition (200)")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions (3)")
    parser.add_argument("--memory", type=int, nargs="*", default=[1_000, 10_000], help="numbers of files")
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_of:
        print(peak(arguments.peak_of))
        return
    print("| files | peak memory, MB |\n|---:|---:|")
    for count in arguments.memory:  # first, because the peak of this process counts for its children
        with tempfile.TemporaryDirectory() as folder:
            make_images(Path(folder), count, (100, 75))
            command = [sys.executable, __file__, "--peak-of", folder]
            print(f"| {count:,} | {subprocess.check_output(command, text=True).strip()} |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        throughput(arguments.network, arguments.images, arguments.repeats, Path(folder))


def throughput(name: str, count: int, repeats: int, folder: Path) -> None:
    """Images per second from files and from pixels in memory, best of ``repeats``."""
    make_images(folder, count, (500, 375))
    files = sorted(folder.iterdir())
    checkpoint = vd.Checkpoint(vd.build(name).eval(), IMAGENET, tuple(map(str, range(1000))))
    pixels = torch.zeros(auto_batch_size(IMAGENET.size**2), 3, 224, 224, dtype=torch.uint8)
    inference, from_files = [], []
    for _ in range(repeats):
        start, done = time.perf_counter(), 0
        while done < count:
            done += len(vd.predict_logits(checkpoint.model, pixels[: count - done], IMAGENET))
        inference.append(count / (time.perf_counter() - start))
        start = time.perf_counter()
        assert sum(map(len, predict(checkpoint, files))) == count
        from_files.append(count / (time.perf_counter() - start))
    alone, decoded = max(inference), max(from_files)
    print("\n| network | threads | inference alone, images/s | from files, images/s | ratio |")
    print("|---|---:|---:|---:|---:|")
    threads = torch.get_num_threads()
    print(f"| `{name}` | {threads} | {alone:.2f} | {decoded:.2f} | {decoded / alone:.1%} |", flush=True)


def peak(folder: Path) -> str:
    """The peak memory of this process after a small network has classified all of ``folder``."""
    model = vd.build("8 M 16 M | gap", size=32).eval()
    checkpoint = vd.Checkpoint(model, IMAGENET.for_input(3, 32), tuple(map(str, range(1000))))
    for _ in predict(checkpoint, sorted(folder.iterdir()), top=5):
        pass
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f}"


def make_images(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Write ``count`` random JPEGs, smooth as photographs are."""
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(random.integers(256, size=(24, 32, 3), dtype=np.uint8))
        if number < 50:  # the others are copies
            coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number:06}.jpg", quality=90)
        else:
            (folder / f"{number:06}.jpg").write_bytes((folder / f"{number % 50:06}.jpg").read_bytes())


if __name__ == "__main__":
    main()
