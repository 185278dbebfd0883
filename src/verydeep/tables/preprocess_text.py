"""What a network sees, in words. It needs no torch."""

from verydeep.architecture.preprocess import Preprocess


def seen_in_words(preprocess: Preprocess) -> str:
    """Colors, scale, mean, deviation and sizes, in a line."""
    colors = "gray" if preprocess.channels == 1 else preprocess.order.upper()
    mean, std = (" ".join(f"{value:.6g}" for value in values) for values in (preprocess.mean, preprocess.std))
    return (
        f"{colors}, 0 to {preprocess.scale:g}, mean {mean}, std {std}; "
        f"short side {preprocess.short_side} px, center {preprocess.size} px"
    )
