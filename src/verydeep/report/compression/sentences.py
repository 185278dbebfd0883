"""Sentences of the page of ``verydeep compress``: what became smaller and faster, and at which loss."""

from collections.abc import Iterator

from verydeep.compress.result import CompressResult
from verydeep.compress.settings import Limit
from verydeep.number_format import SPACE, TIMES, bytes_text, percent

MINUS = "\N{MINUS SIGN}"
SAME = 1.05
"""Ratios below it, and their inverse, are no difference in words."""


def headline(result: CompressResult) -> str:
    """``vgg-tiny: 9.8x smaller and 3.1x faster``; an architecture string is no name."""
    name = result.source.model.architecture.name
    size, speed = result.original.bytes / result.result.bytes, result.result.speedup
    text = (
        f"{ratio_text(size, 'smaller', 'larger') if _differs(size) else 'about as large'} and "
        f"{ratio_text(speed, 'faster', 'slower') if _differs(speed) else 'about as fast'}"
    )
    return text[:1].upper() + text[1:] if "|" in name else f"{name}: {text}"


def verdict(result: CompressResult) -> Iterator[str]:
    """What it costs, on the images that decide and on the test images, and what was asked for."""
    yield _decided_text(result)
    if (test := result.test) is not None:
        yield (
            f"On {test.images:,} test images, read once: {percent(test.before)} before, "
            f"{percent(test.after)} after, {points(test.difference.value)} points "
            f"(95{SPACE}% interval {points(test.difference.low)} to {points(test.difference.high)})."
        )
    yield f"Asked for: {limit_text(result.settings.limit)}."


def measure_name(result: CompressResult) -> str:
    """The measure that decides; without labels, it is the agreement with the original."""
    if result.comparison.labels is None:
        return "agreement"
    return "balanced accuracy" if result.balanced else "accuracy"


def limit_text(limit: Limit) -> str:
    """The limit in words."""
    if limit.kind == "drop":
        bound = f", with 95{SPACE}% confidence" if limit.strict else ""
        return f"a loss of at most {limit.value:g} points{bound}"
    if limit.kind == "latency":
        return f"at most {limit.value:g}{SPACE}ms, with the least loss"
    return f"a file of at most {bytes_text(round(limit.value))}, with the least loss"


def points(share: float, decimals: int = 2) -> str:
    """A difference of shares in percentage points, with its sign: ``0.0032`` as ``+0.32``."""
    rounded = round(100 * share, decimals)
    return f"{MINUS if rounded < 0 else '+'}{abs(rounded):.{decimals}f}"


def ratio_text(ratio: float, better: str, worse: str) -> str:
    """``9.83`` as ``9.8x`` and the word for it; below 1, its inverse and the other word."""
    times, word = (ratio, better) if ratio >= 1 else (1 / ratio, worse)
    if times < 1.005:
        return "same"
    digits = 2 if times < 1.995 else 1 if times < 99.95 else 0
    return f"{times:,.{digits}f}{TIMES} {word}"


def milliseconds(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}{SPACE}ms"


def _decided_text(result: CompressResult) -> str:
    difference, measure = result.result.difference, measure_name(result)
    images = f"{result.images:,} images that decided"
    worst = max(0.0, -100 * difference.low)
    bound = f"with 95{SPACE}% confidence, it loses at most {worst:.2f} points"
    if result.comparison.labels is None:
        share = percent(1 + difference.value)
        return f"It predicts the class of the original for {share} of the {images}; {bound}."
    change = round(100 * difference.value, 2)
    if not change:
        return f"It has the same {measure} as the original on the {images}; {bound}."
    verb = "loses" if change < 0 else "gains"
    return f"It {verb} {abs(change):.2f} points of {measure} on the {images}; {bound}."


def _differs(ratio: float) -> bool:
    return not 1 / SAME < ratio < SAME
