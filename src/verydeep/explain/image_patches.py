"""The patches of image files that activate the channels of a layer most."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.progress import OnProgress, count_images
from verydeep.data.stream import stream
from verydeep.explain.patches import ChannelPatches, LayerPatches, strongest_patches
from verydeep.image_sources.image_source import ImageSource, UnreadableImage
from verydeep.models.checkpoint import Checkpoint

BATCH_SIZE = 16


@dataclass(frozen=True, kw_only=True)
class ImagePatches:
    """The patches of a layer, with the images that they are from."""

    network: str
    """The name of its architecture."""
    preprocess: Preprocess
    """The preprocessing to which the boxes of the patches refer."""
    patches: LayerPatches
    sources: tuple[ImageSource, ...]
    """The images that were searched; ``Patch.image`` is an index into them."""
    broken: tuple[UnreadableImage, ...]
    """The images that cannot be read, and are left out."""

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "layer": self.patches.layer,
            "receptive_field": self.patches.receptive_field,
            "images": self.patches.images,
            "channels": [self._channel_values(each) for each in self.patches.channels],
            "broken": [image.values for image in self.broken],
        }

    def _channel_values(self, channel: ChannelPatches) -> dict[str, Any]:
        return {
            "channel": channel.channel,
            "z_score": channel.z_score,
            "patches": [
                {"file": str(self.sources[patch.image]), "box": patch.box, "activation": patch.activation}
                for patch in channel.patches
            ],
        }


def patches_of_images(
    checkpoint: Checkpoint,
    sources: Sequence[ImageSource],
    layer: str | None = None,
    progress: OnProgress | None = None,
) -> ImagePatches:
    """``strongest_patches`` of image files, or entries of shards.

    Raises:
        ArchitectureError: if the network has no such layer, or the layer has no feature map.
        DataError: if no image can be read.
    """
    read: list[ImageSource] = []
    broken: list[UnreadableImage] = []

    def pixels() -> Iterator[UInt8[Tensor, "count channels size size"]]:
        batches = stream(sources, checkpoint.preprocess, BATCH_SIZE)
        for batch in count_images(batches, len(sources), progress):
            read.extend(sources[i] for i in batch.indices.tolist())
            broken.extend(batch.broken)
            if len(batch.pixels):
                yield batch.pixels

    patches = strongest_patches(checkpoint, pixels(), layer)
    return ImagePatches(
        network=checkpoint.model.architecture.name,
        preprocess=checkpoint.preprocess,
        patches=patches,
        sources=tuple(read),
        broken=tuple(broken),
    )
