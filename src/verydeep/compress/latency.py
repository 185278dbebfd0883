"""Latency by the clock: of whole networks in turns, and of single layers for the search over widths.

Fewer multiply-adds can be slower, so nothing here is computed from them. Networks compute as in ``verydeep
bench``: fp32, channels-last.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Layer, Shape
from verydeep.inputs.augmented_batch import to_channels_last
from verydeep.models.blocks import layer_modules
from verydeep.models.classifier import Classifier

TURNS = 15
SECONDS_A_TURN = 0.02
MAX_REPEATS = 50
LAYER_SECONDS = 0.004


@contextmanager
def threads_of_torch(count: int) -> Iterator[None]:
    """Inside, torch computes with ``count`` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def latencies_ms(models: Sequence[Classifier], batch: int, threads: int) -> list[float]:
    """The latency of each of ``models`` for one batch of random images, in ms.

    They are timed in turns, so that whatever else the machine does meets all of them; the median over the
    turns of the fastest pass in each.
    """
    passes = [_pass(model, batch) for model in models]
    with threads_of_torch(threads), torch.inference_mode():
        repeats = [_repeats(_seconds(each), SECONDS_A_TURN) for each in passes]
        turns = [
            [min(_seconds(each) for _ in range(count)) for each, count in zip(passes, repeats, strict=True)]
            for _ in range(TURNS)
        ]
    return [1000 * statistics.median(times) for times in zip(*turns, strict=True)]


def _pass(model: Classifier, batch: int) -> Callable[[], Tensor]:
    copied = deepcopy(model).eval()
    convert_conv2d_weight_memory_format(copied, torch.channels_last)
    images = to_channels_last(torch.randn(batch, *model.architecture.input))
    return lambda: copied(images)


def _seconds(compute: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    compute()
    return time.perf_counter() - start


def _repeats(seconds: float, wanted: float) -> int:
    return max(2, min(MAX_REPEATS, round(wanted / max(seconds, 1e-6))))


class LayerTimer:
    """The time of an architecture as the sum of its layers, each timed once by the clock."""

    def __init__(self, batch: int, threads: int) -> None:
        self.batch, self.threads = batch, threads
        self.seconds: dict[tuple[Layer | int, Shape], float] = {}
        """By layer, or units of a fully connected layer, and the shape of its input."""

    def ms(self, architecture: Architecture) -> float:
        """The sum over the layers of ``architecture``, without the time between them."""
        shape, total = architecture.input, 0.0
        for layer in architecture.layers:
            if (layer, shape) not in self.seconds:
                self.seconds[layer, shape] = self._timed(layer_modules(architecture, layer, shape), shape)
            total += self.seconds[layer, shape]
            shape = layer.output(shape)
        inputs = shape[0] * architecture.head.grid**2
        for units in (*architecture.head.hidden, architecture.classes):
            shape = (inputs, 1, 1)
            if (units, shape) not in self.seconds:
                self.seconds[units, shape] = self._timed([nn.Flatten(), nn.Linear(inputs, units)], shape)
            total += self.seconds[units, shape]
            inputs = units
        return 1000 * total

    def _timed(self, modules: Iterable[nn.Module], shape: Shape) -> float:
        """The fastest of some passes, in seconds."""
        layer = nn.Sequential(*modules).eval()
        convert_conv2d_weight_memory_format(layer, torch.channels_last)
        images = to_channels_last(torch.rand(self.batch, *shape))
        with threads_of_torch(self.threads), torch.inference_mode():
            repeats = _repeats(_seconds(lambda: layer(images)), LAYER_SECONDS)
            return min(_seconds(lambda: layer(images)) for _ in range(repeats))
