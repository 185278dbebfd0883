"""A process that holds one network in one runtime, and times it when it is asked to."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from verydeep.architecture.preprocess import Preprocess
from verydeep.bench.candidate import Candidate
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.decoding.normalize import normalize_pixels
from verydeep.errors import VeryDeepError
from verydeep.runtime.exported_network import load_exported

_Images = Float32[np.ndarray, "batch channels height width"]
_Logits = Float32[np.ndarray, "batch classes"]
Forward = Callable[[_Images], _Logits]

_KIB = 1024
_STATUS = Path("/proc/self/status")


def serve(pipe: Connection, candidate: Candidate, preprocess: Preprocess, threads: int | None) -> None:
    """Load ``candidate``, compute once, then answer ``(name, argument)`` until the pipe is closed.

    ``time`` gives the seconds of each of ``repeats`` passes over a batch, ``logits`` those of decoded images,
    ``memory`` the largest resident memory so far in bytes. The first message says whether loading worked.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # of the processes, only the parent handles Ctrl-C
    with suppress(EOFError, BrokenPipeError):  # the parent has closed the pipe
        try:
            forward = _loaded(candidate, threads)
            forward(_images(1, preprocess))
        except VeryDeepError as error:
            pipe.send(str(error))
            return
        pipe.send(None)
        while True:
            name, argument = pipe.recv()
            pipe.send(_ANSWERS[name](forward, preprocess, argument))


def _loaded(candidate: Candidate, threads: int | None) -> Forward:
    if candidate.runtime == "torch":
        return _torch_forward(candidate, threads)
    session = load_exported(candidate.path, candidate.runtime, threads=threads).session
    return lambda images: session.run(images, ["logits"])[0]


def _torch_forward(candidate: Candidate, threads: int | None) -> Forward:
    import torch  # only where it is timed: the others would be charged for its start and memory

    from verydeep.weights.load import load_classifier

    if threads is not None:
        torch.set_num_threads(threads)
    dtype = torch.bfloat16 if candidate.precision == "bf16" else torch.float32
    model = load_classifier(candidate.path).model.to(dtype)  # once: autocast would do it in every pass
    torch.nn.utils.convert_conv2d_weight_memory_format(model, torch.channels_last)

    def forward(images: _Images) -> _Logits:
        with torch.inference_mode():
            batch = torch.from_numpy(images).to(dtype, memory_format=torch.channels_last)
            logits: _Logits = model(batch).float().numpy()
        return logits

    return forward


def _images(batch: int, preprocess: Preprocess) -> _Images:
    shape = (batch, preprocess.channels, preprocess.size, preprocess.size)
    return normalize_pixels(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), preprocess)


def _time(forward: Forward, preprocess: Preprocess, argument: tuple[int, int]) -> list[float]:
    batch, repeats = argument
    images, seconds = _images(batch, preprocess), []
    forward(images)  # the caches of the processor hold the network that ran before
    for _ in range(repeats):
        start = time.perf_counter()
        forward(images)
        seconds.append(time.perf_counter() - start)
    return seconds


def _logits(
    forward: Forward, preprocess: Preprocess, pixels: UInt8[np.ndarray, "count channels size size"]
) -> _Logits:
    size = auto_batch_size(preprocess.size**2)
    starts = range(0, len(pixels), size)
    return np.concatenate([forward(normalize_pixels(pixels[i : i + size], preprocess)) for i in starts])


def _memory(forward: Forward, preprocess: Preprocess, argument: None) -> int:
    """On Linux by the kernel's own count for this process: that of ``getrusage`` starts with the parent's."""
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * _KIB
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


_ANSWERS: dict[str, Callable[..., Any]] = {"time": _time, "logits": _logits, "memory": _memory}
