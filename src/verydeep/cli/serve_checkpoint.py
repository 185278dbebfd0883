"""What ``verydeep serve`` computes with a run or a checkpoint, in torch."""

from collections.abc import Sequence
from pathlib import Path

import torch

from verydeep.embed.embedder import Embedder
from verydeep.explain.decoded_heat_maps import decoded_heat_maps
from verydeep.runtime.exported_network import Pixels
from verydeep.serve.served import Explained, ServedNetwork
from verydeep.weights.load import load_classifier


def serve_checkpoint(path: Path, threads: int | None) -> ServedNetwork:
    """The functions of the network in a run folder, a checkpoint, or a weight file.

    Raises:
        CheckpointError: if the file is broken, or has no head.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    checkpoint = load_classifier(path)
    checkpoint.model.eval()
    embedder = Embedder(checkpoint)

    def explain(pixels: Pixels) -> Sequence[Explained]:
        maps = decoded_heat_maps(checkpoint, pixels, method="grad-cam")
        return [(logits, map_.heat) for logits, map_ in zip(checkpoint.logits(pixels), maps, strict=True)]

    architecture = checkpoint.model.architecture
    facts = {
        "name": architecture.name,
        "architecture": architecture.string,
        "format": "checkpoint",
        "precision": "fp32",
        "runtime": "torch",
    }
    return ServedNetwork(checkpoint, embedder.vectors, explain, facts)
