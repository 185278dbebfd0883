"""The path that a person means, and whether two of them name the same."""

from pathlib import Path


def user_path(path: str | Path) -> Path:
    """``path`` with the home folder for ``~`` or ``~name`` at its start.

    The name of a file may begin so too: where no user has it, the path stays as it is.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_same_data(before: str, now: str) -> bool:
    """Whether both name the same images: ``photos/`` is ``photos``."""
    if before == now:
        return True
    first, second = user_path(before), user_path(now)
    return first.exists() and second.exists() and first.samefile(second)
