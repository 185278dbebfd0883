"""A training batch from pixels: what is random is drawn for the whole batch, and applied to a share of it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.augmentation.augment import AugmentConfig, Choices, draw
from verydeep.data.augmentation.mix import Labels, Mix, draw_mix, mix
from verydeep.data.batches import generator
from verydeep.data.normalize import normalize
from verydeep.inputs.batch_source import TrainingBatch
from verydeep.inputs.share import Share


@dataclass(frozen=True)
class Drawn:
    """What is random in the share of a batch."""

    choices: Choices
    mix: Mix | None
    slice_sizes: list[int]
    """Images of each slice: they are mixed with those of their own slice."""


def draw_batch(
    config: AugmentConfig | None,
    indices: Int64[Tensor, " batch"],
    epoch: int,
    step: int,
    size: int,
    seed: int,
    share: Share,
) -> Drawn:
    """The random choices for the images of ``share``: those that they have in the whole batch.

    Args:
        config: the augmentations; None for images that are evaluated.
        indices: of all images of the batch.
        epoch: counted from 0.
        step: of the epoch, counted from 0.
        size: side of the square images in px.
        seed: of the recipe.
        share: the images that are wanted.
    """
    config, random = config or AugmentConfig(), generator(seed, epoch, step)
    choices = draw(config, indices, epoch, (size, size), random)
    mixed = draw_mix(config, (size, size), random) if config.mixes else None
    return Drawn(choices.select(share.rows(len(indices))), mixed, share.slice_sizes(len(indices)))


def training_batch(
    pixels: UInt8[Tensor, "batch channels size size"],
    labels: Int64[Tensor, " batch"],
    classes: int,
    drawn: Drawn,
    preprocess: Preprocess,
    *,
    channels_last: bool,
) -> TrainingBatch:
    """``pixels``, augmented already, normalized and mixed within each slice."""
    images = normalize(pixels, preprocess)
    mixed: Labels = labels
    if drawn.mix is not None:
        images, mixed = _mixed(images, labels, classes, drawn.mix, drawn.slice_sizes)
    return TrainingBatch(to_channels_last(images) if channels_last else images, mixed)


def _mixed(
    images: Tensor, labels: Tensor, classes: int, how: Mix, slice_sizes: list[int]
) -> tuple[Tensor, Tensor]:
    """Each slice mixed for itself."""
    slices = zip(images.split(slice_sizes), labels.split(slice_sizes), strict=True)
    parts = [mix(*part, classes, how) for part in slices]
    return torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])


def to_channels_last(images: Float[Tensor, "batch channels height width"]) -> Tensor:
    """``images`` with the channels of a pixel side by side in memory, which makes convolutions faster."""
    if images.shape[1] == 1:
        # Gray images are both layouts at once; only the strides tell the convolution which one is meant.
        # 32 channels of 28 px, batch 500, bf16 on one CPU: 17.6 -> 4.5 ms forward.
        return images.squeeze(1).unsqueeze(-1).permute(0, 3, 1, 2)
    return images.contiguous(memory_format=torch.channels_last)
