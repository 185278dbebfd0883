"""Feature extraction of `verydeep tune`, from image files to the cache, beside inference alone: images/s.

python benchmarks/features.py vgg16-features.safetensors photos/ --size 96 --count 320
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import get_args

import torch
from torch.nn.utils import convert_conv2d_weight_memory_format

from verydeep.data.normalize import normalize
from verydeep.data.stream import stream
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.open_images import read_samples
from verydeep.machine import InferencePrecision
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.precision import autocast
from verydeep.train.start.pretrained import at_size
from verydeep.tune.feature_cache import BATCH_PIXELS, FeatureCache, head_inputs
from verydeep.weights.load import load

Measure = Callable[[Checkpoint, Sequence[ImageSource], InferencePrecision], float]
"""The seconds that some images take."""


def main() -> None:
    """Print images per second of both, in both precisions, measured in turn."""
    parser = argparse.ArgumentParser(description="Feature extraction, beside inference alone, in images/s.")
    parser.add_argument("weights", type=Path, help="a weight file or a run folder")
    parser.add_argument("images", help="a folder of class folders, a list, or shards")
    parser.add_argument("--size", type=int, default=96, help="their side in px after resizing (96)")
    parser.add_argument("--count", type=int, default=320, help="images per run, chosen at random (320)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each measurement, alternating (3)")
    arguments = parser.parse_args()
    samples = read_samples(arguments.images)
    chosen = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))[: arguments.count]
    sources = samples.select(chosen).sources
    network = at_size(load(arguments.weights, features_only=True), arguments.size)
    model = convert_conv2d_weight_memory_format(network.model, torch.channels_last)
    network = replace(network, model=model)
    rates: dict[tuple[InferencePrecision, Measure], list[float]] = {
        (precision, measure): []
        for precision in get_args(InferencePrecision)
        for measure in (inference_seconds, extraction_seconds)
    }
    for _ in range(arguments.runs):
        for (precision, measure), measured in rates.items():
            measured.append(len(sources) / measure(network, sources, precision))
    print(f"{len(sources)} images of {arguments.size} px, {torch.get_num_threads()} threads\n")
    print("| precision | inference alone, images/s | feature extraction, images/s | ratio | to fp32 |")
    print(f"|---|{'---:|' * 4}")
    for precision in get_args(InferencePrecision):
        alone, extracted = (rates[precision, each] for each in (inference_seconds, extraction_seconds))
        ratios = [one / other for one, other in zip(extracted, alone, strict=True)]
        to_fp32 = median(extracted) / median(rates["fp32", extraction_seconds])
        print(
            f"| {precision} | {median(alone):.1f} | {median(extracted):.1f} | {median(ratios):.0%} "
            f"({min(ratios):.0%} to {max(ratios):.0%}) | {to_fp32:.2f} |"
        )


@torch.inference_mode()
def inference_seconds(
    network: Checkpoint, sources: Sequence[ImageSource], precision: InferencePrecision
) -> float:
    """The network alone, in the batches of the cache; images are decoded and normalized before."""
    size = max(1, BATCH_PIXELS // network.preprocess.size**2)
    batches = [
        normalize(batch.pixels, network.preprocess).contiguous(memory_format=torch.channels_last)
        for batch in stream(sources, network.preprocess, size)
    ]
    began = time.perf_counter()
    with autocast(precision, torch.device("cpu")):
        for images in batches:
            head_inputs(network.model, images)
    return time.perf_counter() - began


def extraction_seconds(
    network: Checkpoint, sources: Sequence[ImageSource], precision: InferencePrecision
) -> float:
    """From image files to features on disk, with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        cache = FeatureCache(network.model, network.preprocess, Path(folder), precision=precision)
        return cache(sources).seconds


if __name__ == "__main__":
    main()
