"""Feature extraction by an exported network, without torch, into a file of vectors."""

from collections.abc import Sequence
from pathlib import Path

from verydeep.architecture.layer_names import last_map_name
from verydeep.data.progress import OnProgress
from verydeep.embed.vector_batches import vector_batches
from verydeep.embed.vector_file import EmbeddingSummary, VectorMetadata, write_vectors
from verydeep.errors import ArchitectureError
from verydeep.image_sources.image_source import ImageSource
from verydeep.runtime.exported_network import ExportedNetwork


def embed_exported(
    network: ExportedNetwork,
    sources: Sequence[ImageSource],
    path: Path,
    *,
    layer: str | None = None,
    unit_length: bool = False,
    progress: OnProgress | None = None,
) -> EmbeddingSummary:
    """Write one vector per image to ``path``, as ``embed_images``: the mean of the last feature map.

    Raises:
        ArchitectureError: if another layer than that is named.
        DataError: if no image can be read.
    """
    architecture = network.description.architecture
    last = last_map_name(architecture)
    if layer not in (None, last):
        raise ArchitectureError(
            f"{network.bundle.path} is an exported network, which gives {last} and not {layer}. Use the run "
            "that it was exported from"
        )
    metadata = VectorMetadata(network=architecture.name, layer=last, unit_length=unit_length)
    batches = vector_batches(
        sources, network.preprocess, network.embedding, unit_length=unit_length, progress=progress
    )
    return write_vectors(batches, metadata, path)
