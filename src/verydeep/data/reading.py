"""The one door to images of one's own: whatever names them becomes samples."""

from pathlib import Path

from verydeep.data.doctor import near_duplicate_groups
from verydeep.data.folder import read_folder
from verydeep.data.samples import Samples, grouped

DUPLICATES = "duplicates"
"""In the place of a pattern: groups by looks."""


def read_samples(place: str | Path, *, group_by: str | None = None) -> Samples:
    """The labelled images at ``place``, still on disk.

    Args:
        place: a folder of class folders, or of train, val and test folders of them.
        group_by: what puts images together that must not be split: a column, a pattern for the names,
            ``duplicates`` for images that look the same, or ``duplicates:`` and one of the others for both.

    Raises:
        DataError: where ``place`` holds no labelled images, or ``group_by`` fits not all of them.
    """
    samples = read_folder(Path(place).expanduser())
    return _grouped(samples, group_by) if group_by else samples


def _grouped(samples: Samples, by: str) -> Samples:
    looks, _, rest = by.partition(":")
    if looks != DUPLICATES or by in samples.columns:
        return grouped(samples, by)
    return near_duplicate_groups(grouped(samples, rest) if rest else samples)
