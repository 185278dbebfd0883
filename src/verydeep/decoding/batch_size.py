"""How many images make a batch, by their size."""

BATCH_SIZE = 500
"""The largest batch."""
BATCH_PIXELS = 1_600_000
"""The most pixels in a batch, 32 images of 224 px: VGG's first feature maps take 512 bytes per pixel."""


def auto_batch_size(pixels: int) -> int:
    """The number of images in a batch, if each has ``pixels`` pixels."""
    return max(1, min(BATCH_SIZE, BATCH_PIXELS // pixels))
