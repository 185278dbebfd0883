"""Reads your own labeled images from any supported source; ``find_images.py`` says what a source is."""

from pathlib import Path

from verydeep.image_sources.find_images import find_listing
from verydeep.image_sources.folder import read_folder
from verydeep.image_sources.listed_samples import to_samples
from verydeep.image_sources.samples import Samples


def read_samples(location: str | Path) -> Samples:
    """The labeled images at ``location``; their files are not read yet.

    Args:
        location: a folder of class folders, or of train, val and test folders with class folders; a list; a
            WebDataset; a Hugging Face data set.

    Raises:
        DataError: if there are no labeled images.
    """
    listing = find_listing(str(location))
    return to_samples(listing) if listing else read_folder(Path(location).expanduser())
