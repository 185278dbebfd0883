"""Throughput of prediction from files, beside inference alone; and memory over thousands of files at 224 px.

python benchmarks/predict.py --network vgg16 --images 200
"""

import argparse
import itertools
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import verydeep as vd
from verydeep.architecture.preprocess import IMAGENET, Preprocess
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.decoding.decode import decode_pixels
from verydeep.prediction.predict import predict


def main() -> None:
    """Print memory in MB as images are predicted, and images per second of both, measured alternately."""
    parser = argparse.ArgumentParser(description="Prediction from files, beside inference alone.")
    parser.add_argument(
        "--network", default="vgg16", help="one for Fashion-MNIST (PNGs of it) or for ImageNet (vgg16)"
    )
    parser.add_argument("--images", type=int, default=200, help="files per repetition (200)")
    parser.add_argument("--repeats", type=int, default=10, help="repetitions (10)")
    parser.add_argument("--memory", type=int, default=10_000, help="files for memory, or 0 (10000)")
    parser.add_argument("--memory-network", default="4 M 8 M | gap", help="the network for memory")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        memory(arguments.memory_network, arguments.memory_of, arguments.memory)
        return
    if arguments.memory:
        measure_memory(arguments.memory, arguments.memory_network)
    with tempfile.TemporaryDirectory() as folder:
        throughput(arguments.network, arguments.images, arguments.repeats, Path(folder))


def measure_memory(count: int, network: str) -> None:
    """In a process of its own, which has done nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        make_images(Path(folder), 100, None)
        options = ["--memory", str(count), "--memory-network", network]
        subprocess.run([sys.executable, __file__, "--memory-of", folder, *options], check=True)


def throughput(name: str, count: int, repeats: int, folder: Path) -> None:
    """Images per second from files and from pixels in memory, in turns: medians of ``repeats``."""
    checkpoint = untrained(name)
    size, channels = checkpoint.preprocess.size, checkpoint.preprocess.channels
    if channels == 1:
        write_clothes(folder, count)
    else:
        make_images(folder, count, (500, 375))
    files = sorted(folder.iterdir())
    batch = auto_batch_size(size**2)
    # Pixels of the files: max pooling takes longer on images than on zeros.
    first = [decode_pixels(file, checkpoint.preprocess) for file in files[:batch]]
    pixels = torch.from_numpy(np.stack(first))
    inference, from_files = [], []
    for _ in range(repeats + 1):
        start, done = time.perf_counter(), 0
        while done < count:
            done += len(vd.predict_logits(checkpoint.model, pixels[: count - done], checkpoint.preprocess))
        inference.append(count / (time.perf_counter() - start))
        start = time.perf_counter()
        assert sum(map(len, predict(checkpoint, files))) == count
        from_files.append(count / (time.perf_counter() - start))
    inference, from_files = inference[1:], from_files[1:]  # the first of each warms up
    ratios = [read / alone for read, alone in zip(from_files, inference, strict=True)]
    print(
        "\n| network | threads | runs | inference alone, images/s | from files, images/s | ratio | lowest |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    print(
        f"| `{name}` | {torch.get_num_threads()} | {repeats} | {statistics.median(inference):,.2f} "
        f"| {statistics.median(from_files):,.2f} | {statistics.median(ratios):.1%} | {min(ratios):.1%} |",
        flush=True,
    )


def untrained(name: str) -> vd.Checkpoint:
    """A network with random weights, with the preprocessing of ImageNet if it takes color images."""
    model = vd.build(name).eval()
    channels, size, _ = model.architecture.input
    preprocess = IMAGENET if channels == 3 else Preprocess(size=size, channels=1, mean=(0.5,), std=(0.5,))
    return vd.Checkpoint(model, preprocess, tuple(map(str, range(model.architecture.classes))))


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


def write_clothes(folder: Path, count: int) -> None:
    """Write ``count`` training images of Fashion-MNIST as PNGs, at most all 60,000."""
    for number, pixels in enumerate(vd.load_dataset("fashion-mnist").train.pixels[:count, 0].numpy()):
        Image.fromarray(pixels).save(folder / f"{number:06}.png")


def make_images(folder: Path, count: int, size: tuple[int, int] | None) -> None:
    """Write ``count`` random JPEGs, smooth as photographs are; of many sizes if ``size`` is None."""
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(random.integers(256, size=(24, 32, 3), dtype=np.uint8))
        width, height = random.integers(250, 900, size=2).tolist()
        image = coarse.resize(size or (width, height), Image.Resampling.BICUBIC)
        image.save(folder / f"{number:06}.jpg", quality=90)


if __name__ == "__main__":
    main()
