"""Feature extraction: images as vectors (embeddings), from the values of one layer of a network in torch."""

from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from verydeep.data.normalize import normalize
from verydeep.embed.vector_batches import Pixels, VectorMetadata, Vectors, VectorSource, unit_vectors
from verydeep.machine import InferencePrecision
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_extractor import taps
from verydeep.models.feature_steps import last_map_name
from verydeep.models.precision import autocast
from verydeep.weight_files.tensor_checksum import tensor_checksum


class Embedder(VectorSource):
    """A feature extractor with one vector per image: the mean over the positions of a map, or the units of
    fc7.

    Args:
        checkpoint: the result of ``verydeep.load``; it is put into evaluation mode.
        layer: a layer name of ``verydeep.taps``; by default the last feature map, which the head pools.
        unit_length: L2-normalize each vector.
        precision: that the features are computed in; vectors are in fp32 either way.

    Raises:
        ArchitectureError: if the network has no such layer.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        layer: str | None = None,
        *,
        unit_length: bool = False,
        precision: InferencePrecision = "fp32",
    ) -> None:
        self.layer = layer or last_map_name(checkpoint.model)
        self.extractor = taps(checkpoint.model.eval(), self.layer)
        self.preprocess = checkpoint.preprocess
        self.unit_length, self.precision = unit_length, precision
        self.network = checkpoint.model.architecture.name
        self.device = next(checkpoint.model.parameters()).device

    @cached_property
    def metadata(self) -> VectorMetadata:
        """How it computes vectors; for the checksum, all weights are read."""
        weights = {name: tensor.cpu() for name, tensor in self.extractor.state_dict().items()}
        return VectorMetadata(
            network=self.network,
            layer=self.layer,
            unit_length=self.unit_length,
            precision=self.precision,
            weights=tensor_checksum(weights),
        )

    @torch.inference_mode()
    def vectors(self, pixels: Pixels) -> Vectors:
        """The vectors of decoded images, 0 to 255."""
        images = normalize(torch.from_numpy(pixels).to(self.device), self.preprocess)
        with autocast(self.precision, self.device):
            vectors: Vectors = self.features(images).float().cpu().numpy()
        return unit_vectors(vectors) if self.unit_length else vectors

    def features(self, images: Float[Tensor, "images channels size size"]) -> Float[Tensor, "images values"]:
        """The values of the layer for normalized images."""
        values: Tensor = self.extractor(images)[self.layer]
        return values.mean((2, 3)) if values.ndim == 4 else values
