"""What was found where images were looked up, on stderr: how many, what was passed over, what to know."""

from verydeep.image_sources.find_images import FoundImages
from verydeep.image_sources.reading import Reading
from verydeep.terminal.console import print_message


def print_reading(reading: Reading, images: int, classes: int | None = None) -> None:
    """One line with the counts, and one for each note."""
    for line in reading.lines(images, classes):
        print_message(line)


def print_found(found: FoundImages) -> None:
    """As ``print_reading``; nothing for files that were named one by one."""
    if found.is_search or found.reading.skipped:
        print_reading(found.reading, len(found.sources))
