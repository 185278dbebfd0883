"""A pack: images, labels, groups and names as columns of an index in a file that is mapped into memory."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Int32, Int64, UInt8, UInt32

from verydeep.packs.layout import PARTS, Part
from verydeep.packs.packed_pixels import PackedImage, PackedPixels
from verydeep.rows import Rows


@dataclass(frozen=True, kw_only=True)
class Pack(PackedPixels):
    """Decoded images in a file, with labels, groups and parts of a split."""

    name: str = field(compare=False)
    classes: tuple[str, ...] = field(compare=False)
    group_names: tuple[str, ...] = field(compare=False)
    """Empty where the images have no groups."""
    labels: Int64[np.ndarray, " count"] = field(compare=False, repr=False)
    """Indices into ``classes``."""
    part_codes: UInt8[np.ndarray, " count"] = field(compare=False, repr=False)
    """Indices into ``layout.PARTS``."""
    group_codes: Int32[np.ndarray, " count"] = field(compare=False, repr=False)
    """Indices into ``group_names``."""

    @property
    def sources(self) -> Rows[PackedImage]:
        """The images."""
        return Rows(lambda index: PackedImage(self, index), self._all)

    @property
    def names(self) -> Rows[str]:
        """The name of each image in the data set that was packed."""
        return Rows(self.name_of, self._all)

    @property
    def parts(self) -> tuple[Part | None, ...]:
        """The part of each image, or None."""
        return tuple(PARTS[part] for part in self.part_codes)

    @property
    def groups(self) -> tuple[str, ...] | None:
        """The group of each image; None where they have none."""
        if not self.group_names:
            return None
        return tuple(self.group_names[group] for group in self.group_codes)

    @cached_property
    def _all(self) -> UInt32[np.ndarray, " count"]:
        return np.arange(len(self), dtype=np.uint32)
