"""Numbers formatted for people."""

SPACE = "\N{NO-BREAK SPACE}"
"""Between a number and its unit, to prevent a line break."""
TIMES = "\N{MULTIPLICATION SIGN}"
NONE = "\N{EN DASH}"
"""For a missing number."""


def percent(share: float, decimals: int = 2) -> str:
    """``0.9487`` as ``94.87 %``."""
    return f"{100 * share:.{decimals}f}{SPACE}%"


def thousands(count: int) -> str:
    """``138357544`` as ``138,357,544``."""
    return f"{count:,}"


def rounded(count: int) -> str:
    """``138357544`` as ``138 M``: three digits and a unit."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= 0.9995 * size:
            return f"{_three_digits(count / size)}{SPACE}{unit}"
    return str(count)


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def duration(seconds: float) -> str:
    """``3725`` as ``1 h 02 min``: at most two units."""
    if seconds < 10:
        return f"{seconds:.1f}{SPACE}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{SPACE}s"
    if whole < 3600:
        return f"{whole // 60}{SPACE}min{SPACE}{whole % 60:02}{SPACE}s"
    minutes = round(seconds / 60)
    return f"{minutes // 60}{SPACE}h{SPACE}{minutes % 60:02}{SPACE}min"


def bytes_text(count: int) -> str:
    """``553437184`` as ``553 MB``: three digits and a decimal unit."""
    return f"{rounded(count)}B" if count >= 1000 else f"{count}{SPACE}bytes"
