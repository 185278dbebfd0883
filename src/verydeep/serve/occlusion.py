"""Heat maps by occlusion: about 170 predictions an image, in slices between the batches of other requests."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float32

from verydeep.errors import UnreadableError
from verydeep.runtime.exported_network import Pixels
from verydeep.runtime.occlusion import Window, mean_over_windows, occlusion_windows
from verydeep.serve.pipeline import Pipeline
from verydeep.serve.served import Explained, ImagePixels, Logits, ServedNetwork

ClassLogits = Float32[np.ndarray, " classes"]
Heat = Float32[np.ndarray, "height width"]


class Occlusion:
    """Explains images one after another, whatever the number of requests: so it takes at most every second
    batch of the network.
    """

    def __init__(self, served: ServedNetwork, pipeline: Pipeline) -> None:
        self.served, self.pipeline = served, pipeline
        self._turn = asyncio.Lock()

    async def run(self, images: Sequence[bytes]) -> list[Explained | UnreadableError]:
        """For each image its logits and the heat map of the predicted class, or an UnreadableError.

        Raises:
            Problem: 503 if the queue is full, or if the deadline passes.
        """
        async with self.pipeline.deadline():
            results = await self.pipeline.run(images, self._logits)
            with self.pipeline.occupied(len(images)):
                return [
                    result if isinstance(result, UnreadableError) else await self._explain(*result)
                    for result in results
                ]

    def _logits(self, pixels: Pixels) -> Iterable[tuple[ClassLogits, ImagePixels]]:
        return zip(self.served.network.logits(pixels), pixels, strict=True)

    async def _explain(self, logits: ClassLogits, pixels: ImagePixels) -> Explained:
        _, height, width = pixels.shape
        windows, size = occlusion_windows(height, width), self.pipeline.limits.max_batch
        covered = []
        async with self._turn:
            for start in range(0, len(windows), size):
                compute = partial(self._covered_logits, windows=windows[start : start + size])
                covered.append(await self.pipeline.compute(pixels, compute))
        return logits, await asyncio.to_thread(
            _heat, logits, np.concatenate(covered), windows, (height, width)
        )

    def _covered_logits(self, pixels: Pixels, windows: Sequence[Window]) -> list[Logits]:
        """The logits of the slice, as the result of a batch of one image."""
        (image,) = pixels
        return [self.served.covered_logits(image, windows)]


def _heat(
    logits: ClassLogits,
    covered: Float32[np.ndarray, "windows classes"],
    windows: Sequence[Window],
    size: tuple[int, int],
) -> Heat:
    """How much the log-probability of the predicted class drops, relative to the maximum."""
    label = int(logits.argmax())
    drops = _log_probabilities(logits[None], label) - _log_probabilities(covered, label)
    heat: Heat = np.maximum(mean_over_windows(drops, windows, size), 0)
    heat /= max(heat.max(), np.finfo(np.float32).tiny)
    return heat


def _log_probabilities(logits: Logits, label: int) -> Float32[np.ndarray, " images"]:
    shifted: Logits = logits - logits.max(1, keepdims=True)
    log_probabilities: Logits = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return log_probabilities[:, label]
