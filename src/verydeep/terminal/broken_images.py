"""Images that cannot be read, on stderr."""

from collections.abc import Iterable

from verydeep.data.stream import Broken
from verydeep.terminal.console import err


def print_broken(broken: Iterable[Broken]) -> None:
    """One line per image, with the reason."""
    for image in broken:
        err().print(image.why, markup=False, soft_wrap=True)
