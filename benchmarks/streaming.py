"""Memory of training on images that stay on disk, by their number; and of the names of very many images.

python benchmarks/streaming.py --counts 1000 50000 --files 500000 --index 5000000

Each training is a process of its own: one epoch of a tiny network on JPEGs of 160 x 120 px at 96 px, from a
folder and from its pack. Its files are hard links to a few drawn images. The largest resident memory is that
of the whole process, with torch. A folder of empty files, and the index of a pack, are opened and split as
training does it, each in another process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import xxhash
from PIL import Image

from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.split_parts import indices_of, with_test_part
from verydeep.image_sources.open_images import read_samples
from verydeep.inputs.write_pack import write_pack
from verydeep.packs.layout import PIXELS_START, RECORD, Header, header_bytes
from verydeep.train.recipe import Recipe
from verydeep.train.train import train_network

DRAWN = 40
"""Images that are drawn; all files are links to them."""


def main() -> None:
    """Print a row per training, a line for the folder and one for the index."""
    parser = argparse.ArgumentParser(description="Memory of streamed training.")
    parser.add_argument("--counts", type=int, nargs="*", default=[1000, 50_000], help="images (1000 50000)")
    parser.add_argument("--files", type=int, default=500_000, help="files of the folder (500,000)")
    parser.add_argument("--index", type=int, default=5_000_000, help="images of the index (5,000,000)")
    parser.add_argument("--measure", choices=("train", "split"), help="of one process; for the script itself")
    parser.add_argument("--images", type=Path, help="of one process; for the script itself")
    arguments = parser.parse_args()
    if arguments.measure == "train":
        train(arguments.images)
    elif arguments.measure == "split":
        split(arguments.images)
    else:
        print_training(arguments.counts)
        print_names(arguments.files, arguments.index)


def print_training(counts: list[int]) -> None:
    """A row for each training."""
    print("| images | from | largest resident memory, MB |")
    print("|---:|---|---:|")
    for count in counts:
        with tempfile.TemporaryDirectory() as root:
            folder = write_folder(Path(root) / "images", count)
            pack = write_pack(read_samples(folder), Path(root) / "images.pack", 96).path
            for name, images in (("folder", folder), ("pack", pack)):
                print(f"| {count:,} | {name} | {measured('train', images)} |", flush=True)


def print_names(files: int, rows: int) -> None:
    """A line for the folder, and one for the index."""
    with tempfile.TemporaryDirectory() as root:
        folder = write_empty_files(Path(root) / "images", files)
        print(
            f"\nA folder of {files:,} files, read and split: {measured('split', folder)} MB more", flush=True
        )
    with tempfile.TemporaryDirectory() as root:
        pack = write_index(Path(root) / "index.pack", rows)
        print(f"Index of {rows:,} images, opened and split: {measured('split', pack)} MB more")


def measured(what: str, images: Path) -> str:
    """What a process of its own prints."""
    command = [sys.executable, __file__, "--measure", what, "--images", str(images)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def write_folder(folder: Path, count: int) -> Path:
    """``count`` files in two classes."""
    random = np.random.default_rng(0)
    for number in range(count):
        file = folder / "ab"[number % 2] / f"{number:07}.jpg"
        if number < DRAWN:
            file.parent.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
            coarse.resize((160, 120), Image.Resampling.BICUBIC).save(file, quality=85)
        else:
            os.link(folder / "ab"[number % 2] / f"{number % DRAWN:07}.jpg", file)
    return folder


def train(images: Path) -> None:
    """One epoch, and the largest memory of this process."""
    recipe = Recipe(
        model="8s2 M 16 M | gap", epochs=1, batch_size=64, size=96, stream="on", test=0.1,
        augment=AugmentConfig(crop=0.5, flip="random"),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as run:
        train_network(recipe, str(images), Path(run) / "run", device="cpu")
    print(f"{memory('VmHWM'):,.0f}")


def write_empty_files(folder: Path, count: int) -> Path:
    """``count`` files in a thousand classes, with names as long as those of ImageNet."""
    for number in range(count):
        file = folder / "train" / f"n{number % 1000:08}" / f"n{number % 1000:08}_{number:07}.JPEG"
        if number < 1000:
            file.parent.mkdir(parents=True)
        file.touch()
    return folder


def write_index(path: Path, count: int) -> Path:
    """A pack of one small image under ``count`` names, as long as those of ImageNet."""
    pixels = bytes(3 * 8 * 8)
    folders = [f"train/n{number:08}/n{number:08}_" for number in range(1000)]
    names = [f"{folders[number % 1000]}{number:07}.JPEG".encode() for number in range(count)]
    records = np.zeros(count, dtype=RECORD)
    records["offset"], records["checksum"] = PIXELS_START, xxhash.xxh3_64_intdigest(pixels)
    records["name_end"] = np.cumsum([len(name) for name in names])
    records["label"], records["group"] = np.arange(count) % 1000, -1
    records["width"] = records["height"] = 8
    records["channels"] = 3
    values = {"name": "index", "classes": [f"n{number:08}" for number in range(1000)], "groups": []}
    index = (records.tobytes(), b"".join(names), json.dumps(values).encode())
    sizes = [len(part) for part in index]
    checksum = xxhash.xxh3_128_digest(b"".join(index))
    header = Header(count, PIXELS_START + len(pixels), sizes[0], sizes[1], sizes[2], checksum)
    path.write_bytes(header_bytes(header).ljust(PIXELS_START, b"\0") + pixels + b"".join(index))
    return path


def split(images: Path) -> None:
    """The memory that the samples of training and test images take, in MB: at its largest, and at the end."""
    before = memory("VmRSS")
    samples = with_test_part(read_samples(images), 0.1, 0)
    train_samples = samples.select(indices_of(samples, "train"))
    after, largest = memory("VmRSS") - before, memory("VmHWM") - before
    print(f"{largest:,.0f} ({after:,.0f} at the end, of {len(train_samples):,} to train)")


def memory(kind: str) -> float:
    """Resident memory of this process in MB: now (VmRSS), or at its largest (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:")) * 1024 / 1e6


if __name__ == "__main__":
    main()
