"""A folder of class folders, or of ``train``, ``val`` and ``test`` folders of them, as samples."""

from pathlib import Path

import numpy as np

from verydeep.errors import DataError
from verydeep.image_sources.folders.layout import find_layout
from verydeep.image_sources.folders.walk import walk
from verydeep.image_sources.reading import Reading
from verydeep.image_sources.samples import Samples
from verydeep.image_sources.suffixes import COMMON_SUFFIXES


def read_folder(folder: Path) -> Samples:
    """Every image in ``folder`` and its subfolders, labeled by its class folder; classes are sorted by name.

    Class folders may contain subfolders. A class folder without images is a class without images. What is
    passed over is counted in ``Samples.reading``; ``layout.py`` has the layouts that are understood.

    Raises:
        DataError: if the folder does not exist, has no class folders, or none of them has an image.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; expected a folder with one folder of images per class")
    walked = walk(folder)
    layout = find_layout(walked)
    if not layout.labeled:
        raise _no_class_folders(folder, layout.reading)
    numbers = {label: number for number, label in enumerate(layout.classes)}
    counts = [len(each.images) for each in layout.labeled]
    chosen = np.concatenate([np.arange(each.images.start, each.images.stop) for each in layout.labeled])
    return Samples(
        name=folder.resolve().name,
        sources=walked.images.select(chosen),
        names=walked.images.names_below(folder).select(chosen),
        labels=np.repeat([numbers[each.label] for each in layout.labeled], counts),
        classes=layout.classes,
        parts=tuple(each.part for each in layout.labeled for _ in each.images),
        reading=layout.reading,
    )


def _no_class_folders(folder: Path, reading: Reading) -> DataError:
    others = f". It has {reading.skipped_text}" if reading.skipped else ""
    return DataError(
        f"{folder} has no images in class folders; expected {folder.name}/<class>/<image>, with a suffix "
        f"such as {COMMON_SUFFIXES}{others}"
    )
