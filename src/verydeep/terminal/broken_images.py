"""Images that cannot be read, on stderr."""

from collections.abc import Iterable

from verydeep.image_sources.image_source import UnreadableImage
from verydeep.terminal.console import err


def print_broken(broken: Iterable[UnreadableImage]) -> None:
    """One line per image, with the reason."""
    for image in broken:
        err().print(image.reason, markup=False, soft_wrap=True)
