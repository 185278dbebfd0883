"""The preprocessing of a network, as one line of text. Needs no torch."""

from verydeep.architecture.preprocess import Preprocess


def preprocess_text(preprocess: Preprocess) -> str:
    """Colors, scale, mean, standard deviation and sizes, in one line."""
    colors = "gray" if preprocess.channels == 1 else preprocess.order.upper()
    mean, std = (" ".join(f"{value:.6g}" for value in values) for values in (preprocess.mean, preprocess.std))
    return (
        f"{colors}, 0 to {preprocess.scale:g}, mean {mean}, std {std}; "
        f"short side {preprocess.short_side} px, center crop {preprocess.size} px"
    )
