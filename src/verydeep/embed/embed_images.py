"""Feature extraction of images by a checkpoint into a file of vectors."""

from collections.abc import Sequence
from pathlib import Path

from verydeep.data.progress import OnProgress
from verydeep.embed.embedder import Embedder
from verydeep.embed.vector_file import EmbeddingSummary, VectorMetadata, write_vectors
from verydeep.image_sources.image_source import ImageSource
from verydeep.models.checkpoint import Checkpoint


def embed_images(
    checkpoint: Checkpoint,
    sources: Sequence[ImageSource],
    path: Path,
    *,
    layer: str | None = None,
    unit_length: bool = False,
    progress: OnProgress | None = None,
) -> EmbeddingSummary:
    """Write one vector per image to ``path``, a .npz or .parquet file.

    Args:
        checkpoint: the result of ``verydeep.load``, which computes on its device.
        sources: the images.
        path: the file to write, complete or not at all.
        layer: a layer name of ``verydeep.taps``; the last feature map by default.
        unit_length: L2-normalize each vector.
        progress: called after each batch.

    Raises:
        ArchitectureError: if the network has no such layer.
        DataError: if no image can be read.
    """
    embedder = Embedder(checkpoint, layer, unit_length=unit_length)
    name = checkpoint.model.architecture.name
    metadata = VectorMetadata(network=name, layer=embedder.layer, unit_length=unit_length)
    return write_vectors(embedder(sources, progress=progress), metadata, path)
