"""Feature extraction by an exported network, without torch: the mean of its last feature map."""

from verydeep.architecture.layer_names import last_map_name
from verydeep.embed.vector_batches import Pixels, VectorMetadata, Vectors, VectorSource, unit_vectors
from verydeep.errors import ArchitectureError
from verydeep.runtime.exported_network import ExportedNetwork


class ExportedEmbedder(VectorSource):
    """A feature extractor as ``Embedder``, of an exported network.

    Args:
        network: the exported network.
        layer: the last feature map, the only layer that an exported network gives; it may be left out.
        unit_length: L2-normalize each vector.

    Raises:
        ArchitectureError: if another layer is named.
    """

    def __init__(
        self, network: ExportedNetwork, layer: str | None = None, *, unit_length: bool = False
    ) -> None:
        architecture = network.description.architecture
        last = last_map_name(architecture)
        if layer not in (None, last):
            raise ArchitectureError(
                f"{network.bundle.path} is an exported network, which gives {last} and not {layer}. Use the "
                "run that it was exported from"
            )
        self.network, self.preprocess = network, network.preprocess
        self.layer, self.unit_length = last, unit_length

    @property
    def metadata(self) -> VectorMetadata:
        """How it computes vectors."""
        return VectorMetadata(
            network=self.network.description.architecture.name,
            layer=self.layer,
            unit_length=self.unit_length,
            precision=self.network.bundle.export.precision,
        )

    def vectors(self, pixels: Pixels) -> Vectors:
        """The vectors of decoded images, 0 to 255."""
        vectors = self.network.embedding(pixels)
        return unit_vectors(vectors) if self.unit_length else vectors
