"""The part of each batch that one process computes: some neighboring slices of it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Share:
    """The slices of one rank; with one rank, all of them.

    A batch is cut into slices as ``torch.tensor_split`` cuts it, and each rank has as many as any other.
    """

    slices: int = 1
    """Of the batch. Images are mixed with those of their own slice, so that ranks change nothing."""
    ranks: int = 1
    """How many processes train together; ``slices`` is a multiple of it."""
    rank: int = 0
    """Which of them this is."""

    def rows(self, images: int) -> slice:
        """The positions, in a batch of ``images``, of the images of this rank."""
        own = self._slices()
        return slice(self._start(own.start, images), self._start(own.stop, images))

    def slice_sizes(self, images: int) -> list[int]:
        """The number of images in each slice of this rank, for a batch of ``images``."""
        return [self._start(each + 1, images) - self._start(each, images) for each in self._slices()]

    def _slices(self) -> range:
        each = self.slices // self.ranks
        return range(self.rank * each, (self.rank + 1) * each)

    def _start(self, number: int, images: int) -> int:
        """Where slice ``number`` begins: the first slices have one image more where they differ."""
        size, longer = divmod(images, self.slices)
        return number * size + min(number, longer)


WHOLE = Share()
"""All images of a batch, in one slice."""
