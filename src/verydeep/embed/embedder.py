"""Feature extraction: images as vectors (embeddings), from the values of one layer of a network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import normalize
from verydeep.data.progress import OnProgress, count_images
from verydeep.decoding.stream import stream_pixels
from verydeep.image_sources.image_source import ImageSource, UnreadableImage
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_extractor import taps
from verydeep.models.feature_steps import last_map_name
from verydeep.runtime.exported_network import ExportedNetwork

BATCH_SIZE = 16
"""Images per batch, small enough that a progress bar moves every few seconds with VGG16 on one core."""

Pixels = UInt8[np.ndarray, "files channels size size"]
Vectors = Float32[Tensor, "files values"]


@dataclass(frozen=True)
class VectorBatch:
    """The vectors of some images, and the images that cannot be read."""

    files: tuple[str, ...]
    """Paths, or locations in shards."""
    vectors: Vectors
    broken: tuple[UnreadableImage, ...] = ()


def _vector_batches(
    sources: Sequence[ImageSource],
    preprocess: Preprocess,
    batch_size: int,
    progress: OnProgress | None,
    vectors_of: Callable[[Pixels], Vectors],
) -> Iterator[VectorBatch]:
    """The vectors of ``sources`` in batches; the next batches are decoded in the meantime."""
    decoded = stream_pixels(sources, preprocess, batch_size)
    for batch in count_images(decoded, len(sources), progress):
        vectors = vectors_of(batch.pixels) if len(batch.pixels) else torch.zeros(0, 0)
        yield VectorBatch(tuple(str(sources[i]) for i in batch.indices.tolist()), vectors, batch.broken)


def embed_exported(
    network: ExportedNetwork,
    sources: Sequence[ImageSource],
    *,
    unit_length: bool = False,
    progress: OnProgress | None = None,
) -> Iterator[VectorBatch]:
    """The vectors of ``sources`` by an exported network: the mean of its last feature map, as by default.

    Broken images are reported, not raised.
    """

    def vectors_of(pixels: Pixels) -> Vectors:
        vectors = torch.from_numpy(network.embedding(pixels))
        return functional.normalize(vectors) if unit_length else vectors

    return _vector_batches(sources, network.preprocess, BATCH_SIZE, progress, vectors_of)


class Embedder:
    """A feature extractor with one vector per image: the mean over the positions of a map, or the units of
    fc7.

    Args:
        checkpoint: the result of ``verydeep.load``; it is put into evaluation mode.
        layer: a layer name of ``verydeep.taps``; by default the last feature map, which the head pools.
        unit_length: L2-normalize each vector.

    Raises:
        ArchitectureError: if the network has no such layer.
    """

    def __init__(
        self, checkpoint: Checkpoint, layer: str | None = None, *, unit_length: bool = False
    ) -> None:
        self.layer = layer or last_map_name(checkpoint.model)
        self.extractor = taps(checkpoint.model.eval(), self.layer)
        self.preprocess = checkpoint.preprocess
        self.unit_length = unit_length
        self.device = next(checkpoint.model.parameters()).device

    def __call__(
        self,
        sources: Sequence[ImageSource],
        batch_size: int = BATCH_SIZE,
        progress: OnProgress | None = None,
    ) -> Iterator[VectorBatch]:
        """The vectors of ``sources``, on the CPU, in batches; the next batches are decoded in the meantime.

        Broken images are reported, not raised.
        """
        return _vector_batches(sources, self.preprocess, batch_size, progress, self.vectors)

    @torch.inference_mode()
    def vectors(self, pixels: Pixels) -> Vectors:
        """The vectors of decoded images, 0 to 255, on the CPU."""
        images = normalize(torch.from_numpy(pixels).to(self.device), self.preprocess)
        values = self.extractor(images)[self.layer]
        vectors: Tensor = (values.mean((2, 3)) if values.ndim == 4 else values).float().cpu()
        return functional.normalize(vectors) if self.unit_length else vectors
