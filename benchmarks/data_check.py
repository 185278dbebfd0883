"""How fast the doctor of data looks at images: images/s a core, beside Pillow decoding the same and no more.

python benchmarks/doctor.py --images 1000
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
    """Print images/s, in seconds of the processor and so for one core, and the ratio to bare decoding."""
    parser = argparse.ArgumentParser(description="Images/s of the doctor of data on JPEGs.")
    parser.add_argument("--images", type=int, default=500, help="how many are made (500)")
    parser.add_argument("--side", type=int, default=300, help="of each, in px (300)")
    parser.add_argument("--runs", type=int, default=5, help="of each measurement, in turn (5)")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        files = [_made(Path(folder) / f"{seed}.jpg", given.side, seed) for seed in range(given.images)]
        rounds = [
            (_seconds(lambda: _decode(files)), _seconds(lambda: _look(files))) for _ in range(given.runs)
        ]
        seen = [one for one in examine_all(files, workers=1) if isinstance(one, ImageFacts)]
    looks = np.stack([one.thumbnail for one in seen])
    search = _seconds(lambda: find_duplicates(tuple(one.digest for one in seen), looks))
    bare, doctor = (median(values) for values in zip(*rounds, strict=True))
    print(f"{len(files)} JPEGs of {given.side} px, one thread, seconds of the processor")
    print("| what | images/s a core | times bare decoding |\n|---|---:|---:|")
    print(f"| Pillow decodes | {len(files) / bare:.0f} | 1.00 |")
    print(f"| the doctor looks | {len(files) / doctor:.0f} | {bare / doctor:.2f} |")
    print(f"| duplicates are searched | {len(files) / search:.0f} | |")


def _made(file: Path, side: int, seed: int) -> Path:
    """A photograph of sorts: smooth shades with the noise of a sensor."""
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


def _look(files: list[Path]) -> None:
    for _ in examine_all(files, workers=1):
        pass


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
