"""What ``verydeep serve`` computes with a run or a checkpoint, in torch."""

from collections.abc import Sequence
from pathlib import Path

import torch

from verydeep.decoding.normalize import normalize_pixels
from verydeep.embed.embedder import Embedder
from verydeep.explain.decoded_heat_maps import decoded_heat_maps
from verydeep.explain.occlusion_windows import Window, cover
from verydeep.machine import Device
from verydeep.runtime.exported_network import Pixels
from verydeep.serve.served import Explained, ImagePixels, Logits, ServedNetwork
from verydeep.train.device import choose_device
from verydeep.weights.load import load_classifier


def serve_checkpoint(path: Path, threads: int | None = None, device: Device = "auto") -> ServedNetwork:
    """The functions of the network in a run folder, a checkpoint, or a weight file.

    Raises:
        CheckpointError: if the file is broken, or has no head.
        RecipeError: if the machine has no such device.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    checkpoint = load_classifier(path)
    chosen = choose_device(device)
    checkpoint.model.eval().to(chosen)
    embedder = Embedder(checkpoint)

    def explain(pixels: Pixels) -> Sequence[Explained]:
        maps = decoded_heat_maps(checkpoint, pixels, method="grad-cam")
        return [(logits, map_.heat) for logits, map_ in zip(checkpoint.logits(pixels), maps, strict=True)]

    @torch.inference_mode()
    def covered_logits(pixels: ImagePixels, windows: Sequence[Window]) -> Logits:
        (image,) = normalize_pixels(pixels[None], checkpoint.preprocess)
        images = torch.from_numpy(cover(image, windows)).to(chosen)
        logits: Logits = checkpoint.model(images).numpy(force=True)
        return logits

    architecture = checkpoint.model.architecture
    facts = {
        "name": architecture.name,
        "architecture": architecture.string,
        "format": "checkpoint",
        "precision": "fp32",
        "runtime": "torch",
        "device": chosen.type,
    }
    return ServedNetwork(checkpoint, embedder.vectors, explain, covered_logits, facts)
