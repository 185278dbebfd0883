"""Heat maps by occlusion: about 170 predictions an image, in slices between the batches of other requests."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float32

from verydeep.errors import UnreadableError
from verydeep.explain.exported_heat_maps import heat_from_covered
from verydeep.explain.occlusion_windows import Window, occlusion_windows
from verydeep.runtime.exported_network import Pixels
from verydeep.serve.pipeline import Pipeline
from verydeep.serve.served import Explained, ImagePixels, Logits, ServedNetwork

ClassLogits = Float32[np.ndarray, " classes"]


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
            with self.pipeline.occupied(1):  # its images wait for each other, and not in the queue
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
                part = windows[start : start + size]
                compute = partial(self._covered_logits, windows=part)
                covered.append(await self.pipeline.compute(pixels, compute, len(part)))
        heat = await asyncio.to_thread(
            heat_from_covered, logits, np.concatenate(covered), int(logits.argmax()), (height, width)
        )
        return logits, heat

    def _covered_logits(self, pixels: Pixels, windows: Sequence[Window]) -> list[Logits]:
        """The logits of the slice, as the result of a batch of one image."""
        (image,) = pixels
        return [self.served.covered_logits(image, windows)]
