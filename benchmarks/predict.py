"""Throughput of prediction from files, beside inference alone; and memory over thousands of files at 224 px.

python benchmarks/predict.py --network vgg16 --images 200
"""

import argparse
import itertools
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
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.prediction.predict import predict


def main() -> None:
    """Print memory in MB as images are predicted, and images per second of both, measured alternately."""
    parser = argparse.ArgumentParser(description="Prediction from files, beside inference alone.")
    parser.add_argument(
        "--network", default="vgg16", help="a network for 1000 classes of color images (vgg16)"
    )
    parser.add_argument("--images", type=int, default=200, help="images of 500 x 375 px per repetition (200)")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions (3)")
    parser.add_argument("--memory", type=int, default=10_000, help="files to predict for memory (10000)")
    parser.add_argument("--memory-network", default="4 M 8 M | gap", help="the network for memory")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        memory(arguments.memory_network, arguments.memory_of, arguments.memory)
        return
    with tempfile.TemporaryDirectory() as folder:
        make_images(Path(folder), 100, None)
        options = ["--memory", str(arguments.memory), "--memory-network", arguments.memory_network]
        subprocess.run([sys.executable, __file__, "--memory-of", folder, *options], check=True)
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


def memory(name: str, folder: Path, count: int) -> None:
    """The memory of this process as ``count`` files are predicted, and its ratio to that after 500."""
    model = vd.build(name, size=224).eval()
    checkpoint = vd.Checkpoint(model, IMAGENET, tuple(map(str, range(1000))))
    files = list(itertools.islice(itertools.cycle(sorted(folder.iterdir())), count))
    print("| images | memory, MB | of that after 500 | peak, MB | processor time, s |")
    print("|---:|---:|---:|---:|---:|")
    done, first, shown = 0, 0.0, iter((*(500 * 2**i for i in range(20)), 0))
    due = next(shown)
    for batch in predict(checkpoint, files, top=5):
        done += len(batch)
        if done >= due or done == count:
            due, now = next(shown), resident()
            first = first or now
            usage = resource.getrusage(resource.RUSAGE_SELF)
            seconds = usage.ru_utime + usage.ru_stime
            peak = usage.ru_maxrss / 1e3
            row = (f"{done:,}", f"{now:,.0f}", f"{now / first:.1%}", f"{peak:,.0f}", f"{seconds:.0f}")
            print(f"| {' | '.join(row)} |", flush=True)


def resident() -> float:
    """The resident memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def make_images(folder: Path, count: int, size: tuple[int, int] | None) -> None:
    """Write ``count`` random JPEGs, smooth as photographs are; of many sizes if ``size`` is None."""
    random = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number:06}.jpg"
        coarse = Image.fromarray(random.integers(256, size=(24, 32, 3), dtype=np.uint8))
        width, height = random.integers(250, 900, size=2).tolist()
        coarse.resize(size or (width, height), Image.Resampling.BICUBIC).save(path, quality=90)


if __name__ == "__main__":
    main()
