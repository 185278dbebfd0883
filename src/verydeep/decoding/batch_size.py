"""How many images make a batch, by their size."""

BATCH_SIZE = 256
"""The largest batch. The first maps of 500 gray images of 28 px are larger in vgg-tiny than what malloc keeps
(32 MiB), and inference then takes 1.8 times as long."""
BATCH_PIXELS = 1_600_000
"""The most pixels in a batch, 32 images of 224 px: VGG's first feature maps take 512 bytes per pixel."""


def auto_batch_size(pixels: int) -> int:
    """The number of images in a batch, if each has ``pixels`` pixels."""
    return max(1, min(BATCH_SIZE, BATCH_PIXELS // pixels))
