"""Image files as vectors: what one layer of a network says of each, a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional

from verydeep.data.decode import decode
from verydeep.data.transforms import normalise
from verydeep.embed.network import Network
from verydeep.errors import DataError
from verydeep.models.taps import last_map_name, taps

BATCH_SIZE = 16
"""Images at a time: a progress bar moves every few seconds even where VGG16 runs on one core."""


@dataclass(frozen=True)
class Broken:
    """A file that cannot be read, and why."""

    file: Path
    why: str


@dataclass(frozen=True)
class VectorBatch:
    """Files with a vector each, and those that have none."""

    files: tuple[Path, ...]
    vectors: Float32[Tensor, "files values"]
    broken: tuple[Broken, ...] = ()


class Embedder:
    """One layer of a network as a vector an image: maps averaged over their places, other values as they are.

    Args:
        network: what ``verydeep.load`` gave; it is put into eval.
        layer: by the names of ``verydeep.taps``; the last map, which the head pools, by default.
        unit_length: divide each vector by its length.

    Raises:
        SpecError: where the network has no such layer.
    """

    def __init__(self, network: Network, layer: str | None = None, *, unit_length: bool = False) -> None:
        self.layer = layer or last_map_name(network.model)
        self.taps = taps(network.model.eval(), self.layer)
        self.preprocess = network.preprocess
        self.unit_length = unit_length
        self.device = next(network.model.parameters()).device

    def __call__(self, files: Sequence[Path]) -> VectorBatch:
        """The vectors of ``files``, on the CPU; what cannot be read is said so, and the rest goes on."""
        pixels, broken = {}, []
        for file in files:
            try:
                pixels[file] = decode(file, self.preprocess)
            except DataError as error:
                broken.append(Broken(file, str(error)))
        vectors = self._vectors(list(pixels.values())) if pixels else torch.zeros(0, 0)
        return VectorBatch(tuple(pixels), vectors, tuple(broken))

    @torch.inference_mode()
    def _vectors(self, pixels: list[Tensor]) -> Float32[Tensor, "files values"]:
        images = normalise(torch.stack(pixels).to(self.device), self.preprocess)
        values = self.taps(images)[self.layer]
        vectors: Tensor = (values.mean((2, 3)) if values.ndim == 4 else values).float().cpu()
        return functional.normalize(vectors) if self.unit_length else vectors


def in_batches(files: Sequence[Path], size: int = BATCH_SIZE) -> list[Sequence[Path]]:
    """``files`` cut into runs of ``size``, each for one call of an ``Embedder``."""
    return [files[start : start + size] for start in range(0, len(files), size)]
