"""Decoding: random resized crops by a core or by many, or the cost and error of reduced JPEGs.

python benchmarks/decode.py
python benchmarks/decode.py --cores
python benchmarks/decode.py photo.jpg

The first one draws JPEGs of 500 x 375 px, and measures each path in turn in each round, in CPU time of this
process and its workers, so that other work on the machine matters little. "Crops" are reading alone, to
uint8; "batches" end with normalized batches, as training on a CPU takes them (a GPU normalizes them itself).
"torchvision's steps" are those of its reference (Pillow, a crop in whole px, resizing, fp32, normalization)
in plain Pillow and torch, which needs no torchvision.

The second one decodes batches as training does, crops of 176 px of these JPEGs and their pack, with 1, 2, 4,
... threads and processes, up to the usable cores: images per second by the clock, the processor time that it
takes in this process, and the time until the processes have decoded their first image.

The third one resizes a photo to several sizes, and decodes it at full and at reduced size.
"""

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from verydeep.architecture.preprocess import IMAGENET, Preprocess
from verydeep.data.augmentation.color import draw_crop
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.decode import decode
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.decoding import fast_jpeg
from verydeep.decoding.crop import Crop, Decoder, crop_box, decode_crop
from verydeep.decoding.decode import MIN_DECODE_SCALE, read_image
from verydeep.decoding.processes import DecodingProcesses
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.open_images import read_samples
from verydeep.image_sources.samples import Samples
from verydeep.inputs.streamed_images import StreamedImages
from verydeep.inputs.write_pack import write_pack
from verydeep.machine import usable_cores
from verydeep.malloc import keep_freed_memory

SIZES = ((640, 480), (1600, 1200), (4000, 3000))
"""Sizes of the photo, in px."""
WIDTH, HEIGHT = 500, 375
"""Of the drawn images: the usual size in ImageNet."""
BATCH, CROP_AREA = 32, 0.08
Work = Callable[[], object]


def main() -> None:
    """Print one of the tables."""
    parser = argparse.ArgumentParser(description="Speed of decoding.")
    parser.add_argument("photo", type=Path, nargs="?", help="a photo of 12 megapixels or more, to be reduced")
    parser.add_argument("--cores", action="store_true", help="by the number of threads and processes")
    parser.add_argument("--runs", type=int, default=9, help="runs; the median is printed (9)")
    parser.add_argument("--images", type=int, default=256, help="images to draw (256)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as training does
    if arguments.cores:
        cores_table(arguments.images, arguments.runs)
    elif arguments.photo is None:
        crop_table(arguments.images, arguments.runs)
    else:
        photo_table(read_image(arguments.photo).convert("RGB"), arguments.runs)


def crop_table(count: int, runs: int) -> None:
    """Images per second of each path: the median, the least and the most of the runs."""
    with tempfile.TemporaryDirectory() as folder:
        draw_images(Path(folder) / "images", count)
        paths = crop_paths(Path(folder), count)
        rates: dict[str, list[float]] = {name: [] for name in paths}
        for work in paths.values():
            work()  # imports, and fills the cache of the file system
        for _ in range(runs):
            for name, work in paths.items():
                rates[name].append(count / cpu_seconds(work))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.jpg")) / count
    print(f"{count} JPEGs of {WIDTH} x {HEIGHT} px, {size / 1e3:.0f} kB each\n")
    print("| path | images/s of one core | least | most |")
    print("|---|---:|---:|---:|")
    for name, each in rates.items():
        print(f"| {name} | {statistics.median(each):,.0f} | {min(each):,.0f} | {max(each):,.0f} |")


def cores_table(count: int, runs: int) -> None:
    """Images per second of threads and of processes, in turn in each round; medians."""
    print(
        "| from | decoder | cores | threads, images/s | processes, images/s | in this process | started in |"
    )
    print("|---|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        draw_images(Path(folder) / "images", count)
        files = read_samples(Path(folder) / "images")
        packed = read_samples(write_pack(files, Path(folder) / "images.pack", 256).path)
        for kind, samples in (("JPEG", files), ("pack", packed)):
            for decoder in decoders():
                images = on_disk(samples, decoder, replace(IMAGENET, size=176, resize=None))
                for cores in core_counts():
                    row = cores_row(images, cores, runs)
                    print(f"| {kind} | {decoder} | {cores} | {row} |", flush=True)


def core_counts() -> list[int]:
    """1, 2, 4, ... and the usable cores."""
    cores = usable_cores()
    return sorted({2**power for power in range(cores.bit_length())} | {cores})


def cores_row(images: ImagesOnDisk, cores: int, runs: int) -> str:
    """The values of a row; at least 256 images for each core are decoded in a run."""
    plan = torch.arange(len(images)).repeat(-(-256 * cores // len(images))).split(256)
    rates: dict[str, list[float]] = {"threads": [], "processes": []}
    own = []
    with DecodingProcesses(cores, images.preprocess, images.decoder) as processes:
        began = time.perf_counter()
        read_plan(images, plan[:1], cores, processes)
        started = time.perf_counter() - began
        for _ in range(runs):
            for name, used in (("threads", None), ("processes", processes)):
                began, before = time.perf_counter(), time.process_time()
                read_plan(images, plan, cores, used)
                rates[name].append(sum(map(len, plan)) / (time.perf_counter() - began))
                if used is not None:
                    own.append((time.process_time() - before) / sum(map(len, plan)) * 1e6)
    threads, processed = (statistics.median(each) for each in rates.values())
    return f"{threads:,.0f} | {processed:,.0f} | {statistics.median(own):.0f} us an image | {started:.1f} s"


def read_plan(
    images: ImagesOnDisk, plan: Sequence[Tensor], workers: int, processes: DecodingProcesses | None
) -> None:
    """The batches of ``plan``, up to their pixels: a GPU does the rest."""
    source = StreamedImages(
        images=images, preprocess=images.preprocess, device=torch.device("cpu"), workers=workers,
        processes=processes, augment=AugmentConfig(crop=CROP_AREA, flip="random"),
    )  # fmt: skip
    for _ in source.pixels(plan, 0, 0):
        pass


def draw_images(folder: Path, count: int) -> None:
    """JPEGs with about as many bytes as photos of this size have."""
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (47, 63, 3), dtype=np.uint8))
        drawn = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(np.int16)
        drawn = (drawn + random.integers(-12, 13, drawn.shape, dtype=np.int16)).clip(0, 255)
        file = folder / "ab"[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.astype(np.uint8)).save(file, quality=85)


def crop_paths(folder: Path, count: int) -> dict[str, Work]:
    """What is measured, by name."""
    files = read_samples(folder / "images")
    packed = read_samples(write_pack(files, folder / "images.pack", 256).path)
    kinds = {"JPEG": files, "a pack of 256 px": packed}
    crops = [Crop(*row) for row in draw_crop(count, CROP_AREA, torch.Generator().manual_seed(0)).tolist()]
    plain = TorchvisionSteps(files.sources, crops)
    paths: dict[str, Work] = {}
    for what, read in (("crops", partial(read_crops, crops=crops)), ("batches", read_batches)):
        for kind, samples in kinds.items():
            for decoder in decoders():
                paths[f"{what} from {kind}, {decoder}"] = partial(read, samples, decoder=decoder)
    for name, workers in (("torchvision's steps", 0), ("torchvision's steps, DataLoader, 1 worker", 1)):
        paths[f"batches from JPEG, {name}"] = partial(list, DataLoader(plain, BATCH, num_workers=workers))
    return paths


def decoders() -> list[Decoder]:
    """Those that are installed."""
    return ["pillow", "fast"] if fast_jpeg.is_installed() else ["pillow"]


def on_disk(samples: Samples, decoder: Decoder, preprocess: Preprocess) -> ImagesOnDisk:
    """The images of ``samples``."""
    return ImagesOnDisk(
        sources=samples.sources, labels=torch.from_numpy(samples.labels), classes=samples.classes,
        preprocess=preprocess, decoder=decoder,
    )  # fmt: skip


def read_crops(samples: Samples, crops: Sequence[Crop], decoder: Decoder) -> None:
    """One crop of each image."""
    for source, crop in zip(samples.sources, crops, strict=True):
        decode_crop(source, IMAGENET, crop, decoder)


def read_batches(samples: Samples, decoder: Decoder) -> None:
    """The batches of an epoch, decoded in one thread."""
    images = on_disk(samples, decoder, IMAGENET)
    source = StreamedImages(
        images=images, preprocess=IMAGENET, device=torch.device("cpu"), workers=1, channels_last=False,
        augment=AugmentConfig(crop=CROP_AREA, flip="random"),
    )  # fmt: skip
    for _ in source.batches(torch.arange(len(samples)).split(BATCH), 0, 0):
        pass


class TorchvisionSteps(Dataset[Tensor]):
    """The steps of torchvision's reference for training, on the same crops."""

    def __init__(self, sources: Sequence[ImageSource], crops: Sequence[Crop]) -> None:
        self.files, self.crops = [str(source) for source in sources], crops
        mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET.mean, IMAGENET.std))
        self.mean, self.std = mean, std

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.files[index]) as opened:
            image = opened.convert("RGB")
        left, top, right, bottom = map(round, crop_box(*image.size, self.crops[index]))
        side = (IMAGENET.size, IMAGENET.size)
        cut = image.crop((left, top, right, bottom)).resize(side, Image.Resampling.BILINEAR)
        if index % 2:
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(cut)).permute(2, 0, 1).contiguous().float() / 255
        return (pixels - self.mean) / self.std


def cpu_seconds(work: Work) -> float:
    """The CPU time that ``work`` takes, with that of the processes that it starts and ends."""
    began, before = time.process_time(), os.times()
    work()
    took, after = time.process_time() - began, os.times()
    return took + sum(after[2:4]) - sum(before[2:4])  # of children, in steps of 10 ms


def photo_table(photo: Image.Image, runs: int) -> None:
    """The photo decoded at full and at reduced size: one row per size."""
    print("| photo, px | full size, ms | reduced size, ms | mean difference, of 255 | maximum |")
    print("|---|---:|---:|---:|---:|")
    for size in SIZES:
        print(photo_row(photo, size, runs))


def photo_row(photo: Image.Image, size: tuple[int, int], runs: int) -> str:
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


def median(work: Work, runs: int) -> float:
    """The median of the seconds that ``work`` takes."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
