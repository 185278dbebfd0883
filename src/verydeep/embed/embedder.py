"""Image files as vectors: what one layer of a network says of each, a batch at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional

from verydeep.data.normalize import normalize
from verydeep.data.samples import UnreadableImage
from verydeep.data.stream import stream
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_extractor import taps
from verydeep.models.feature_steps import last_map_name

BATCH_SIZE = 16
"""Images at a time: a progress bar moves every few seconds even where VGG16 runs on one core."""


@dataclass(frozen=True)
class VectorBatch:
    """Files with a vector each, and those that have none."""

    files: tuple[Path, ...]
    vectors: Float32[Tensor, "files values"]
    broken: tuple[UnreadableImage, ...] = ()


class Embedder:
    """One layer of a network as a vector an image: maps averaged over their places, other values as they are.

    Args:
        network: what ``verydeep.load`` gave; it is put into eval.
        layer: by the names of ``verydeep.taps``; the last map, which the head pools, by default.
        unit_length: divide each vector by its length.

    Raises:
        ArchitectureError: where the network has no such layer.
    """

    def __init__(self, network: Checkpoint, layer: str | None = None, *, unit_length: bool = False) -> None:
        self.layer = layer or last_map_name(network.model)
        self.taps = taps(network.model.eval(), self.layer)
        self.preprocess = network.preprocess
        self.unit_length = unit_length
        self.device = next(network.model.parameters()).device

    def __call__(self, files: Sequence[Path], batch_size: int = BATCH_SIZE) -> Iterator[VectorBatch]:
        """The vectors of ``files``, on the CPU, ``batch_size`` at a time, while the next are decoded.

        What cannot be read is said so, and the rest goes on.
        """
        for batch in stream(files, self.preprocess, batch_size):
            vectors = self._vectors(batch.pixels) if len(batch.pixels) else torch.zeros(0, 0)
            yield VectorBatch(tuple(files[i] for i in batch.indices.tolist()), vectors, batch.broken)

    @torch.inference_mode()
    def _vectors(self, pixels: UInt8[Tensor, "files channels size size"]) -> Float32[Tensor, "files values"]:
        images = normalize(pixels.to(self.device), self.preprocess)
        values = self.taps(images)[self.layer]
        vectors: Tensor = (values.mean((2, 3)) if values.ndim == 4 else values).float().cpu()
        return functional.normalize(vectors) if self.unit_length else vectors
