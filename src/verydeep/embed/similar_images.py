"""Image retrieval: the images most similar to a query image, from their files or from stored vectors."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from verydeep.data.progress import OnProgress
from verydeep.embed.embedder import Embedder
from verydeep.embed.neighbors import Neighbor, nearest_neighbors
from verydeep.embed.vector_batches import VectorBatch
from verydeep.embed.vector_file import is_vector_file, read_vectors
from verydeep.errors import DataError
from verydeep.image_sources.find_images import FoundImages, find_images
from verydeep.image_sources.huggingface import is_saved_dataset
from verydeep.image_sources.image_source import ImageSource, UnreadableImage
from verydeep.models.checkpoint import Checkpoint
from verydeep.user_path import user_path


@dataclass(frozen=True, kw_only=True)
class SimilarImages:
    """A query image with its nearest neighbors."""

    image: Path
    network: str
    """The name of its architecture."""
    layer: str
    neighbors: tuple[Neighbor, ...]
    """The most similar first."""
    sources: tuple[ImageSource, ...]
    """The images of the neighbors, in the same order."""
    broken: tuple[UnreadableImage, ...]
    """The images that cannot be read, and are left out."""
    found: FoundImages | None = None
    """The images that were looked up, and what was passed over; None for stored vectors."""

    @property
    def method(self) -> str:
        """Network, layer and similarity measure."""
        return f"{self.network}, {self.layer}, cosine similarity"

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "image": str(self.image),
            "layer": self.layer,
            "neighbors": [neighbor.values for neighbor in self.neighbors],
            "broken": [image.values for image in self.broken],
            "skipped": dict(self.found.reading.skipped) if self.found else {},
        }


def find_similar(
    checkpoint: Checkpoint,
    images: str,
    query: Path,
    count: int = 12,
    *,
    layer: str | None = None,
    progress: OnProgress | None = None,
) -> SimilarImages:
    """The ``count`` images most similar to ``query`` by cosine similarity of their vectors.

    Args:
        checkpoint: the result of ``verydeep.load``; the computation runs on its device.
        images: anything that ``read_sources`` reads, or a file of vectors, so that only the query is
            computed.
        query: the image to compare with; it is left out of the result.
        count: the number of images.
        layer: a layer name of ``verydeep.taps``; by default that of the file of vectors, or the last map.
        progress: called after each batch, unless vectors are stored.

    Raises:
        ArchitectureError: if the network has no such layer.
        DataError: if the query or the images cannot be read, or the vectors are of another network or layer.
    """
    vectors, network = user_path(images), checkpoint.model.architecture.name
    found: FoundImages | None = None
    if is_vector_file(vectors):
        embedder, batches = _stored_vectors(checkpoint, vectors, layer)
    else:
        embedder, found = Embedder(checkpoint, layer), find_images([images])
        batches = embedder(found.sources, progress=progress)
    (embedded,) = embedder([query])
    if embedded.broken:
        raise DataError(embedded.broken[0].reason)
    broken: list[UnreadableImage] = []
    collected = _collect_broken(batches, broken)
    neighbors = nearest_neighbors(embedded.vectors[0], collected, count, exclude=query)
    return SimilarImages(
        image=query,
        network=network,
        layer=embedder.layer,
        neighbors=neighbors,
        sources=tuple(sources_of([neighbor.file for neighbor in neighbors], found.sources if found else ())),
        broken=tuple(broken),
        found=found,
    )


def _stored_vectors(
    checkpoint: Checkpoint, file: Path, layer: str | None
) -> tuple[Embedder, Iterable[VectorBatch]]:
    stored, name = read_vectors(file), checkpoint.model.architecture.name
    metadata = stored.metadata
    if name != metadata.network or layer not in (None, metadata.layer):
        raise DataError(
            f"{file} holds vectors of {metadata.network}, {metadata.layer}; expected {name}, "
            f"{layer or metadata.layer}. Write them again with `verydeep embed`"
        )
    embedder = Embedder(checkpoint, metadata.layer)
    if metadata.weights and metadata.weights != embedder.metadata.weights:
        raise DataError(
            f"{file} holds vectors of a {name} with other weights. Give the network that computed them, or "
            "write them again with `verydeep embed`"
        )
    return embedder, [VectorBatch(stored.files, stored.vectors)]


def _collect_broken(batches: Iterable[VectorBatch], broken: list[UnreadableImage]) -> Iterator[VectorBatch]:
    for batch in batches:
        broken += batch.broken
        yield batch


def sources_of(files: list[str], known: Sequence[ImageSource]) -> Iterator[ImageSource]:
    """The sources of ``files``: one of ``known``, an entry of the shard at their location, or a path."""
    containers = () if known else tuple(dict.fromkeys(filter(None, map(_container, files))))
    sources = chain(known, find_images(containers).sources)
    wanted = set(files)
    by_name = {name: source for source in sources if (name := str(source)) in wanted}  # a few of a million
    for file in files:
        yield by_name.get(file, Path(file))


def _container(file: str) -> Path | None:
    """The shard or saved data set of a stored location such as ``train-000.tar/0001.jpg``; None for files."""
    path = Path(file)
    return next((parent for parent in path.parents if parent.is_file() or is_saved_dataset(parent)), None)
