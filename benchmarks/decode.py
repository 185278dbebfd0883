"""JPEGs decoded at full and at reduced size: milliseconds per image, and the difference of their pixels.

python benchmarks/decode.py photo.jpg
"""

import argparse
import io
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from verydeep.architecture.preprocess import IMAGENET
from verydeep.data.decode import decode
from verydeep.decoding.decode import MIN_DECODE_SCALE, read_image

SIZES = ((640, 480), (1600, 1200), (4000, 3000))
"""Sizes of the photo, in px."""


def main() -> None:
    """Resize the photo to each size, decode it at full and at reduced size, and print one row per size."""
    parser = argparse.ArgumentParser(description="JPEGs decoded at full and at reduced size.")
    parser.add_argument("photo", type=Path, help="a photo of 12 megapixels or more")
    parser.add_argument(
        "--runs", type=int, default=9, help="runs of each measurement; the median is printed (9)"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| photo, px | full size, ms | reduced size, ms | mean difference, of 255 | maximum |")
    print("|---|---:|---:|---:|---:|")
    photo = read_image(arguments.photo).convert("RGB")
    for size in SIZES:
        print(row(photo, size, arguments.runs))


def row(photo: Image.Image, size: tuple[int, int], runs: int) -> str:
    """One row of the table."""
    jpeg, bmp = io.BytesIO(), io.BytesIO()
    photo.resize(size).save(jpeg, "JPEG", quality=90)
    with Image.open(jpeg) as opened:
        opened.save(bmp, "BMP")
    reduced, full = decode(jpeg.getvalue(), IMAGENET), decode(bmp.getvalue(), IMAGENET)
    difference = (reduced.int() - full.int()).abs().double()
    sides = (None, MIN_DECODE_SCALE * 256)
    seconds = (median(partial(read_resized, jpeg.getvalue(), side), runs) for side in sides)
    milliseconds = " | ".join(f"{1e3 * each:.1f}" for each in seconds)
    return f"| {size[0]} x {size[1]} | {milliseconds} | {difference.mean():.2f} | {difference.max():.0f} |"


def read_resized(jpeg: bytes, short_side: int | None) -> Image.Image:
    """``jpeg`` decoded and resized."""
    return read_image(jpeg, short_side=short_side).resize((256, 256))


def median(work: Callable[[], object], runs: int) -> float:
    """The median of the seconds that ``work`` takes."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
