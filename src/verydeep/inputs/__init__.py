"""Where training gets its batches from: pixels in memory, images on disk, or cached feature maps."""
