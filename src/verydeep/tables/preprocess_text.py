"""The preprocessing of a network, as one line of text. Needs no torch."""

from verydeep.architecture.preprocess import Preprocess


def preprocess_text(preprocess: Preprocess) -> str:
    """Colors, scale, mean, standard deviation and fit, in one line."""
    colors = "gray" if preprocess.channels == 1 else preprocess.order.upper()
    mean, std = (" ".join(f"{value:.6g}" for value in values) for values in (preprocess.mean, preprocess.std))
    return f"{colors}, 0 to {preprocess.scale:g}, mean {mean}, std {std}; {fit_text(preprocess)}"


def fit_text(preprocess: Preprocess) -> str:
    """How an image of any shape comes to the input size."""
    size = preprocess.size
    match preprocess.fit:
        case "crop":
            return f"short side {preprocess.short_side} px, center crop {size} px"
        case "pad":
            return f"long side {size} px, padded with the mean to {size} x {size} px"
        case "squash":
            return f"squashed to {size} x {size} px"
