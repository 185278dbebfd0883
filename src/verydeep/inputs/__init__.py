"""Where training gets its batches from: pixels in memory, or cached feature maps."""
