"""Throughput of the data check: images/s per core, compared with full decoding by Pillow.

python benchmarks/data_check.py --images 1000
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from verydeep.check.duplicates import find_duplicates
from verydeep.check.examine import ImageFacts, examine_all


def main() -> None:
    """Print images/s, by processor time and so per core, and the ratio to full decoding."""
    parser = argparse.ArgumentParser(description="Throughput of the data check on JPEGs, in images/s.")
    parser.add_argument("--images", type=int, default=500, help="the number of images (500)")
    parser.add_argument("--side", type=int, default=300, help="their side in px (300)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement, alternating (5)")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        files = [
            _write_jpeg(Path(folder) / f"{seed}.jpg", arguments.side, seed)
            for seed in range(arguments.images)
        ]
        runs = [
            (_seconds(lambda: _decode(files)), _seconds(lambda: _check(files))) for _ in range(arguments.runs)
        ]
        images = [each for each in examine_all(files, workers=1) if isinstance(each, ImageFacts)]
    thumbnails = np.stack([each.thumbnail for each in images])
    search = _seconds(lambda: find_duplicates(tuple(each.digest for each in images), thumbnails))
    decoding, check = (median(values) for values in zip(*runs, strict=True))
    print(f"{len(files)} JPEGs of {arguments.side} px, one thread, by processor time")
    print("| what | images/s per core | times full decoding |\n|---|---:|---:|")
    print(f"| full decoding with Pillow | {len(files) / decoding:.0f} | 1.00 |")
    print(f"| data check | {len(files) / check:.0f} | {decoding / check:.2f} |")
    print(f"| search for duplicates | {len(files) / search:.0f} | |")


def _write_jpeg(file: Path, side: int, seed: int) -> Path:
    """A photo-like image: smooth colors with sensor noise."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32)
    noisy = (smooth + random.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(file, quality=85)
    return file


def _decode(files: list[Path]) -> None:
    for file in files:
        with Image.open(io.BytesIO(file.read_bytes())) as opened:
            opened.load()


def _check(files: list[Path]) -> None:
    for _ in examine_all(files, workers=1):
        pass


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
