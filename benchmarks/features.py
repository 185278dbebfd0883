"""Features of a folder through the cache, beside the bare network on pixels in memory: images a second.

python benchmarks/features.py vgg16-features.safetensors photos/ --size 96 --images 320
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from torch.nn.utils import convert_conv2d_weight_memory_format

from verydeep.data.normalize import normalize
from verydeep.data.open_images import read_samples
from verydeep.data.samples import ImageSource
from verydeep.data.stream import stream
from verydeep.models.checkpoint import Checkpoint
from verydeep.tune.backbone import at_size
from verydeep.tune.feature_cache import BATCH_PIXELS, FeatureCache, head_inputs
from verydeep.weights.load import load


def main() -> None:
    """Print images a second, both ways in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    samples = read_samples(asked.folder)
    chosen = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))[: asked.images]
    sources = samples.select(chosen).sources
    network = at_size(load(asked.weights, features_only=True), asked.size)
    model = convert_conv2d_weight_memory_format(network.model, torch.channels_last)
    network = replace(network, model=model)
    bare, cached = [], []
    for _ in range(asked.runs):
        bare.append(len(sources) / bare_seconds(network, sources))
        cached.append(len(sources) / cached_seconds(network, sources))
    shares = [with_cache / without for with_cache, without in zip(cached, bare, strict=True)]
    print(f"| images | size | threads | bare network | through the cache | share |\n|{'---:|' * 6}")
    print(
        f"| {len(sources)} | {asked.size} px | {torch.get_num_threads()} | {median(bare):.1f}/s | "
        f"{median(cached):.1f}/s | {median(shares):.0%} ({min(shares):.0%} to {max(shares):.0%}) |"
    )


@torch.inference_mode()
def bare_seconds(network: Checkpoint, sources: tuple[ImageSource, ...]) -> float:
    """The network alone, in the batches of the cache, pixels decoded and normalized before."""
    size = max(1, BATCH_PIXELS // network.preprocess.size**2)
    batches = [
        normalize(batch.pixels, network.preprocess).contiguous(memory_format=torch.channels_last)
        for batch in stream(sources, network.preprocess, size)
    ]
    began = time.perf_counter()
    for images in batches:
        head_inputs(network.model, images)
    return time.perf_counter() - began


def cached_seconds(network: Checkpoint, sources: tuple[ImageSource, ...]) -> float:
    """From files to features on disk, into an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        return FeatureCache(network.model, network.preprocess, Path(folder))(sources).seconds


if __name__ == "__main__":
    main()
