"""JPEGs decoded whole, and no larger than is needed: milliseconds an image, and how far their pixels differ.

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
from verydeep.data.decode import SPARE, decode, read_image

SIZES = ((640, 480), (1600, 1200), (4000, 3000))
"""Of the photographs, in px."""


def main() -> None:
    """Bring the photograph to each size, decode it both ways, print a row each."""
    parser = argparse.ArgumentParser(description="JPEGs decoded whole and small.")
    parser.add_argument("photo", type=Path, help="a photograph, of 12 megapixels at best")
    parser.add_argument("--runs", type=int, default=9, help="(9)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| photograph, px | whole, ms | as needed, ms | mean difference, of 255 | most |")
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
    needed, whole = decode(jpeg.getvalue(), IMAGENET), decode(bmp.getvalue(), IMAGENET)
    difference = (needed.int() - whole.int()).abs().double()
    seconds = (median(partial(seen, jpeg.getvalue(), least), runs) for least in (None, SPARE * 256))
    milliseconds = " | ".join(f"{1e3 * each:.1f}" for each in seconds)
    return f"| {size[0]} x {size[1]} | {milliseconds} | {difference.mean():.2f} | {difference.max():.0f} |"


def seen(jpeg: bytes, least: int | None) -> Image.Image:
    """``jpeg`` read and shrunk."""
    return read_image(jpeg, short_side=least).resize((256, 256))


def median(work: Callable[[], object], runs: int) -> float:
    """Seconds that ``work`` takes."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
