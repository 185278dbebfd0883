"""The vectors of images in batches, as every network gives them; the next batches are decoded meanwhile."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.progress import OnProgress, count_images
from verydeep.decoding.stream import stream_pixels
from verydeep.image_sources.image_source import ImageSource, UnreadableImage

BATCH_SIZE = 16
"""Images per batch, small enough that a progress bar moves every few seconds with VGG16 on one core."""
_SHORTEST = 1e-12
"""A vector of zeros has no direction, and stays as it is."""

Pixels = UInt8[np.ndarray, "files channels size size"]
Vectors = Float32[np.ndarray, "files values"]


@dataclass(frozen=True, kw_only=True)
class VectorMetadata:
    """How vectors were computed."""

    network: str
    layer: str
    unit_length: bool
    precision: str = "fp32"
    """That the features were computed in; the vectors are in fp32."""
    weights: str = ""
    """A checksum of the weights that computed them; empty where it is not known."""


@dataclass(frozen=True)
class VectorBatch:
    """The vectors of some images, and the images that cannot be read."""

    files: tuple[str, ...]
    """Paths, or locations in shards."""
    vectors: Vectors
    broken: tuple[UnreadableImage, ...] = ()


def vector_batches(
    sources: Sequence[ImageSource],
    preprocess: Preprocess,
    vectors_of: Callable[[Pixels], Vectors],
    *,
    batch_size: int = BATCH_SIZE,
    progress: OnProgress | None = None,
) -> Iterator[VectorBatch]:
    """The vectors of ``sources``, in order; broken images are reported, not raised.

    Args:
        sources: files, or entries of shards.
        preprocess: the preprocessing of the network.
        vectors_of: gives the vectors of decoded images, 0 to 255.
        batch_size: images per batch.
        progress: called after each batch.
    """
    decoded = stream_pixels(sources, preprocess, batch_size)
    for batch in count_images(decoded, len(sources), progress):
        vectors = vectors_of(batch.pixels) if len(batch.pixels) else np.zeros((0, 0), np.float32)
        files = tuple(str(sources[i]) for i in batch.indices.tolist())
        yield VectorBatch(files, vectors, batch.broken)


def unit_vectors(vectors: Vectors) -> Vectors:
    """``vectors``, each divided by its length."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Vectors = vectors / np.maximum(lengths, _SHORTEST, dtype=np.float32)
    return result


class VectorSource(ABC):
    """A feature extractor of any network: ``Embedder`` in torch, ``ExportedEmbedder`` elsewhere."""

    preprocess: Preprocess
    """The preprocessing of the network."""

    @property
    @abstractmethod
    def metadata(self) -> VectorMetadata:
        """How it computes vectors."""

    def __call__(
        self,
        sources: Sequence[ImageSource],
        batch_size: int = BATCH_SIZE,
        progress: OnProgress | None = None,
    ) -> Iterator[VectorBatch]:
        """The vectors of ``sources`` in batches; the next batches are decoded in the meantime.

        Broken images are reported, not raised.
        """
        return vector_batches(
            sources, self.preprocess, self.vectors, batch_size=batch_size, progress=progress
        )

    @abstractmethod
    def vectors(self, pixels: Pixels) -> Vectors:
        """The vectors of decoded images, 0 to 255."""
