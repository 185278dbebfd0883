"""``--runtime auto``: times the runtimes that can load a bundle on this machine, once, and keeps the result.

Where a bundle has one runtime, there is nothing to time. The result is kept in the cache folder, for the same
file, processor, versions, threads and batch; a file that is damaged or for others is measured again.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
from jaxtyping import Float32
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from verydeep.atomic_write import write_text
from verydeep.download.sources import cache_root
from verydeep.errors import CheckpointError
from verydeep.machine import processor_name, usable_cores
from verydeep.runtime.bundle import Bundle, Precision, read_bundle
from verydeep.runtime.exported_network import RUNTIMES_OF, ExportedNetwork, Pixels, load_exported
from verydeep.runtime.extras import TIMINGS, Runtime, is_installed
from verydeep.runtime.file_checksum import blocks_checksum

BATCHES = (1, 4, 16)
"""A larger batch hardly changes which runtime is the fastest."""
SECONDS = 1.0
"""For all passes that are timed, after one pass of each runtime."""
MAX_TURNS = 15
MAX_RELATIVE_ERROR: dict[Precision, float] = {"fp32": 1e-3, "bf16": 0.1, "int8": 0.1}
"""Of the logits of two runtimes; a broken kernel gives other values altogether."""
_FORM = 1
"""Of the kept file; another one is measured again."""


@dataclass(frozen=True, kw_only=True)
class RuntimeChoice:
    """The fastest runtime, and what was measured."""

    runtime: Runtime
    ms_per_image: dict[Runtime, float]
    """Of each runtime that was timed; empty where there is only one."""
    batch: int
    """The batch size of the timing."""
    left_out: dict[Runtime, str]
    """Runtimes that cannot load the network or disagree, with the reason."""

    def line(self, *, is_kept: bool) -> str:
        """One line for people."""
        if not self.ms_per_image:
            return f"Runtime {self.runtime}, the only one installed for this format"
        times = ", ".join(
            f"{runtime} {time_:.3g}"
            for runtime, time_ in sorted(self.ms_per_image.items(), key=lambda x: x[1])
        )
        left_out = "".join(f"; without {runtime}: {reason}" for runtime, reason in self.left_out.items())
        when = "kept from before" if is_kept else "measured now and kept"
        return f"Runtime {self.runtime}: {times} ms an image, batch {self.batch}, {when}{left_out}"


@dataclass(frozen=True)
class FastestRuntime:
    """A network in the runtime that is the fastest for it on this machine."""

    network: ExportedNetwork
    choice: RuntimeChoice
    is_kept: bool
    """Whether the choice was read from the cache."""

    @property
    def line(self) -> str:
        """What was chosen and why, for people."""
        return self.choice.line(is_kept=self.is_kept)


def load_fastest(path: Path, *, batch: int = 1, threads: int | None = None) -> FastestRuntime:
    """The network of the bundle at ``path`` in the installed runtime that is the fastest for it.

    One whose logits are not those of the usual runtime is left out.

    Args:
        path: an ``.onnx`` file or a folder, written by ``verydeep export``.
        batch: images per batch, as they will be. At most the largest of ``BATCHES`` that is not above it is
            timed, and fewer where a batch takes long.
        threads: of the runtime; as many as the processor has cores by default.

    Raises:
        CheckpointError: if the bundle is broken, or no runtime for it is installed.
    """
    bundle = read_bundle(path)
    batch = max(each for each in BATCHES if each <= max(1, batch))
    runtimes = [each for each in RUNTIMES_OF[bundle.export.format] if is_installed(each)]
    if len(runtimes) < 2:
        network = load_exported(path, threads=threads)
        only = RuntimeChoice(runtime=network.runtime, ms_per_image={}, batch=batch, left_out={})
        return FastestRuntime(network, only, is_kept=False)
    file = cache_root() / TIMINGS / f"{_key(bundle, runtimes, batch, threads)}.json"
    kept = _read(file, runtimes)
    if kept is not None:
        return FastestRuntime(load_exported(path, kept.runtime, threads=threads), kept, is_kept=True)
    networks, left_out = _load_all(path, runtimes, threads)
    choice = _measure(networks, left_out, batch)
    with suppress(OSError):  # a cache that may not be written to: it is measured next time too
        write_text(file, json.dumps(asdict(choice)))
    return FastestRuntime(networks[choice.runtime], choice, is_kept=False)


def _key(bundle: Bundle, runtimes: list[Runtime], batch: int, threads: int | None) -> str:
    """What the times depend on, as 32 hexadecimal digits."""
    facts = {
        "form": _FORM,
        "file": blocks_checksum(bundle.file),
        "processor": processor_name(),
        "cores": usable_cores(),
        "versions": {each: version(each) for each in runtimes},
        "threads": threads,
        "batch": batch,
    }
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _read(file: Path, runtimes: list[Runtime]) -> RuntimeChoice | None:
    """The kept choice; None where there is none that can be used."""
    try:
        choice = TypeAdapter(RuntimeChoice).validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None
    return choice if choice.runtime in runtimes and choice.runtime in choice.ms_per_image else None


def _load_all(
    path: Path, runtimes: list[Runtime], threads: int | None
) -> tuple[dict[Runtime, ExportedNetwork], dict[Runtime, str]]:
    """The network in each runtime that can load it, and why others cannot."""
    networks: dict[Runtime, ExportedNetwork] = {}
    left_out: dict[Runtime, str] = {}
    for runtime in runtimes:
        try:
            networks[runtime] = load_exported(path, runtime, threads=threads)
        except CheckpointError as error:
            left_out[runtime] = str(error)
            if len(left_out) == len(runtimes):
                raise
    return networks, left_out


def _measure(
    networks: Mapping[Runtime, ExportedNetwork], left_out: dict[Runtime, str], batch: int
) -> RuntimeChoice:
    usual = next(iter(networks.values()))
    image = _images(usual, 1)
    agreeing, seconds = {}, 0.0
    expected = usual.logits(image)
    for runtime, network in networks.items():
        logits = network.logits(image)
        start = time.perf_counter()
        network.logits(image)  # the first pass also prepares the runtime
        seconds = max(seconds, time.perf_counter() - start)
        error = _relative_error(logits, expected)
        if error <= MAX_RELATIVE_ERROR[network.bundle.export.precision]:
            agreeing[runtime] = network
        else:
            left_out = left_out | {
                runtime: f"its logits differ from {usual.runtime}'s by {error:.2g} of the largest"
            }
    timed = max(1, min(batch, int(SECONDS / (3 * len(agreeing) * max(seconds, 1e-6)))))
    times = _in_turns(agreeing, _images(usual, timed))
    return RuntimeChoice(
        runtime=min(times, key=lambda runtime: times[runtime]),
        ms_per_image=times,
        batch=timed,
        left_out=left_out,
    )


def _relative_error(
    logits: Float32[np.ndarray, "batch classes"], expected: Float32[np.ndarray, "batch classes"]
) -> float:
    """The largest difference, relative to the largest logit; infinite where one is not a number."""
    error = np.abs(logits - expected).max() / max(float(np.abs(expected).max()), 1e-12)
    return float(error) if np.isfinite(error) else float("inf")


def _in_turns(networks: Mapping[Runtime, ExportedNetwork], images: Pixels) -> dict[Runtime, float]:
    """The median ms per image of each, in turns: all see the same clock speed and other work."""
    seconds: dict[Runtime, list[float]] = {runtime: [] for runtime in networks}
    end = time.perf_counter() + SECONDS
    for turn in range(MAX_TURNS):
        if turn and time.perf_counter() > end:
            break
        for runtime, network in networks.items():
            start = time.perf_counter()
            network.logits(images)
            seconds[runtime].append(time.perf_counter() - start)
    return {runtime: 1000 * median(each) / len(images) for runtime, each in seconds.items()}


def _images(network: ExportedNetwork, count: int) -> Pixels:
    """Smooth random pictures of the input size: unlike noise, they keep INT8 in its range."""
    preprocess, random = network.preprocess, np.random.default_rng(0)
    size = network.bundle.export.size or preprocess.size
    maps = random.integers(256, size=(count * preprocess.channels, 5, 5), dtype=np.uint8)
    pictures = [Image.fromarray(each).resize((size, size), Image.Resampling.BICUBIC) for each in maps]
    return np.stack([np.asarray(each) for each in pictures]).reshape(count, preprocess.channels, size, size)
