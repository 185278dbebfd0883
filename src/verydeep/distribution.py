"""The distribution that installed this package: verydeep, or verydeep-runtime, the same without torch."""

from importlib.metadata import PackageNotFoundError, version

NAMES = ("verydeep", "verydeep-runtime")


def distribution_name() -> str | None:
    """The one of ``NAMES`` that is installed; None where the package is run from its source."""
    for name in NAMES:
        try:
            version(name)
        except PackageNotFoundError:
            continue
        return name
    return None


def install_command(extra: str) -> str:
    """How to install the libraries of ``extra`` beside what is installed."""
    return f"pip install '{distribution_name() or NAMES[0]}[{extra}]'"
