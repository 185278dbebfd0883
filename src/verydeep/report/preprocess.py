"""What a network sees, in words. It needs no torch."""

from verydeep.spec.preprocess import Preprocess


def seen_in_words(preprocess: Preprocess) -> str:
    """Colours, scale, mean, deviation and sizes, in a line."""
    colours = "grey" if preprocess.channels == 1 else preprocess.order.upper()
    mean, std = (" ".join(f"{value:.6g}" for value in values) for values in (preprocess.mean, preprocess.std))
    return (
        f"{colours}, 0 to {preprocess.scale:g}, mean {mean}, std {std}; "
        f"short side {preprocess.short_side} px, centre {preprocess.size} px"
    )
