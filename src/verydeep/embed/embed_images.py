"""Feature extraction of images into a file of vectors."""

from collections.abc import Sequence
from pathlib import Path

from verydeep.data.progress import OnProgress
from verydeep.embed.embedder import Embedder, embed_exported
from verydeep.embed.vector_file import EmbeddingSummary, VectorMetadata, write_vectors
from verydeep.errors import ArchitectureError
from verydeep.image_sources.image_source import ImageSource
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_steps import last_map_name
from verydeep.runtime.exported_network import ExportedNetwork


def embed_images(
    network: Checkpoint | ExportedNetwork,
    sources: Sequence[ImageSource],
    path: Path,
    *,
    layer: str | None = None,
    unit_length: bool = False,
    progress: OnProgress | None = None,
) -> EmbeddingSummary:
    """Write one vector per image to ``path``, a .npz or .parquet file.

    Args:
        network: a checkpoint, which computes on its device, or an exported network.
        sources: the images.
        path: the file to write, complete or not at all.
        layer: a layer name of ``verydeep.taps``; the last feature map by default.
        unit_length: L2-normalize each vector.
        progress: called after each batch.

    Raises:
        ArchitectureError: if the network has no such layer; an exported network has only the default.
        DataError: if no image can be read.
    """
    name = network.description.architecture.name
    if isinstance(network, Checkpoint):
        embedder = Embedder(network, layer, unit_length=unit_length)
        metadata = VectorMetadata(network=name, layer=embedder.layer, unit_length=unit_length)
        return write_vectors(embedder(sources, progress=progress), metadata, path)
    metadata = VectorMetadata(network=name, layer=_only_layer(network, layer), unit_length=unit_length)
    batches = embed_exported(network, sources, unit_length=unit_length, progress=progress)
    return write_vectors(batches, metadata, path)


def _only_layer(network: ExportedNetwork, layer: str | None) -> str:
    last = last_map_name(build_empty(network.description.architecture))
    if layer not in (None, last):
        raise ArchitectureError(
            f"{network.bundle.path} is an exported network, which gives {last} and not {layer}. Use the run "
            "that it was exported from"
        )
    return last
