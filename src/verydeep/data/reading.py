"""The one door to images of one's own: whatever names them becomes samples."""

from pathlib import Path

from verydeep.data.folder import read_folder
from verydeep.data.samples import Samples, grouped


def read_samples(place: str | Path, *, group_by: str | None = None) -> Samples:
    """The labelled images at ``place``, still on disk.

    Args:
        place: a folder of class folders, or of train, val and test folders of them.
        group_by: what puts images together that must not be split: a column, or a pattern for the names.

    Raises:
        DataError: where ``place`` holds no labelled images, or ``group_by`` fits not all of them.
    """
    samples = read_folder(Path(place).expanduser())
    return grouped(samples, group_by) if group_by else samples
