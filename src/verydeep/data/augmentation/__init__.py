"""Data augmentation of whole batches, on any device."""
