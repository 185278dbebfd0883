"""Feature extraction of `verydeep tune`, from image files to the cache, beside inference alone: images/s.

python benchmarks/features.py vgg16-features.safetensors photos/ --size 96 --images 320
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from torch.nn.utils import convert_conv2d_weight_memory_format

from verydeep.data.normalize import normalize
from verydeep.data.stream import stream
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.open_images import read_samples
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.pretrained import at_size
from verydeep.tune.feature_cache import BATCH_PIXELS, FeatureCache, head_inputs
from verydeep.weights.load import load


def main() -> None:
    """Print images per second of both, measured alternately."""
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
    alone, extracted = [], []
    for _ in range(arguments.runs):
        alone.append(len(sources) / inference_seconds(network, sources))
        extracted.append(len(sources) / extraction_seconds(network, sources))
    ratios = [one / other for one, other in zip(extracted, alone, strict=True)]
    print("| images | size | threads | inference alone, images/s | feature extraction, images/s | ratio |")
    print(f"|{'---:|' * 6}")
    print(
        f"| {len(sources)} | {arguments.size} px | {torch.get_num_threads()} | {median(alone):.1f} | "
        f"{median(extracted):.1f} | {median(ratios):.0%} ({min(ratios):.0%} to {max(ratios):.0%}) |"
    )


@torch.inference_mode()
def inference_seconds(network: Checkpoint, sources: Sequence[ImageSource]) -> float:
    """The network alone, in the batches of the cache; images are decoded and normalized before."""
    size = max(1, BATCH_PIXELS // network.preprocess.size**2)
    batches = [
        normalize(batch.pixels, network.preprocess).contiguous(memory_format=torch.channels_last)
        for batch in stream(sources, network.preprocess, size)
    ]
    began = time.perf_counter()
    for images in batches:
        head_inputs(network.model, images)
    return time.perf_counter() - began


def extraction_seconds(network: Checkpoint, sources: Sequence[ImageSource]) -> float:
    """From image files to features on disk, with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        return FeatureCache(network.model, network.preprocess, Path(folder))(sources).seconds


if __name__ == "__main__":
    main()
