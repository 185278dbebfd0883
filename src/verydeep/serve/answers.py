"""Answers to requests: what ``predict --json`` prints, vectors, and facts about the network."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32

from verydeep.architecture.description import temperature_of
from verydeep.errors import UnreadableError
from verydeep.foreign_text import one_line
from verydeep.prediction.predict import Prediction, require_logits, top_classes
from verydeep.serve.heat_image import heat_png
from verydeep.serve.image_format import known_formats
from verydeep.serve.limits import Limits
from verydeep.serve.problems import Problem, status_of
from verydeep.serve.served import Explained, ServedNetwork
from verydeep.serve.uploads import Upload

Values = dict[str, Any]
Drawn = tuple[Float32[np.ndarray, " classes"], str]
"""Logits, and a heat map as a PNG in base64."""


class Answers:
    """Turns results of the network into JSON."""

    def __init__(self, served: ServedNetwork) -> None:
        self.served = served
        self.temperature = temperature_of(served.network.origin)

    def prediction(
        self, name: str, logits: Float32[np.ndarray, " classes"], top: int, reject_below: float | None
    ) -> Values:
        """The answer for an image, as ``verydeep predict --json`` prints it."""
        classes = self.served.network.classes
        require_logits(logits[None], classes)
        (row,) = top_classes(logits[None] / self.temperature, classes, top)
        is_rejected = reject_below is not None and row[0][1] < reject_below
        return Prediction(one_line(name), row, is_rejected=is_rejected).values

    def explained(
        self, name: str, result: Drawn, method: str, top: int, reject_below: float | None
    ) -> Values:
        """The same, with a heat map of the predicted class."""
        logits, png = result
        label = self.served.network.classes[int(logits.argmax())]
        heat_map = {"method": method, "label": label, "png": png}
        return self.prediction(name, logits, top, reject_below) | {"heat_map": heat_map}

    def embedding(self, name: str, vector: Float32[np.ndarray, " values"]) -> Values:
        """The vector of an image."""
        return {"file": one_line(name), "embedding": vector.tolist()}


def draw_heat_maps(results: Sequence[Explained | UnreadableError]) -> list[Drawn | UnreadableError]:
    """The same with each heat map as a PNG."""
    return [
        result if isinstance(result, UnreadableError) else (result[0], heat_png(result[1]))
        for result in results
    ]


def answer_each(
    uploads: Sequence[Upload], results: Sequence[Any], answer: Callable[[str, Any], Values]
) -> list[Values]:
    """The answer for each image, with an error for those that cannot be read.

    Raises:
        Problem: if none can be read.
    """
    errors = [result for result in results if isinstance(result, UnreadableError)]
    if len(errors) == len(results):
        detail = "; ".join(dict.fromkeys(map(str, errors)))[:1000]
        raise Problem(status_of(errors[0].kind), detail)
    return [
        Prediction(one_line(upload.name), error=str(result)).values
        if isinstance(result, UnreadableError)
        else answer(upload.name, result)
        for upload, result in zip(uploads, results, strict=True)
    ]


def model_facts(served: ServedNetwork, limits: Limits) -> Values:
    """What a client may want to know before it sends images."""
    preprocess = served.network.preprocess
    return {
        **served.facts,
        "classes": list(served.network.classes),
        "size": preprocess.size,
        "channels": preprocess.channels,
        "fit": preprocess.fit,
        "crop": preprocess.size / preprocess.short_side,
        "temperature": temperature_of(served.network.origin),
        "formats": known_formats(),
        "explain": ["grad-cam", "occlusion"] if served.explain else ["occlusion"],
        "limits": {
            "bytes": limits.max_bytes,
            "pixels": limits.max_pixels,
            "files": limits.files,
            "batch": limits.max_batch,
            "queue": limits.max_queue,
        },
    }
