"""``verydeep compress``: step by step to a smaller and faster network, each step accepted by measurement."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from verydeep.atomic_write import write_text
from verydeep.claim import LOCK, claim_folder
from verydeep.compress.candidate import Bench, Candidate, Measured, file_bytes
from verydeep.compress.choose_widths import search_path, tries, try_points
from verydeep.compress.fold import fold
from verydeep.compress.images import CompressionImages
from verydeep.compress.narrow import prepare_narrowing
from verydeep.compress.quantize import BITS, quantize, quantized_bytes
from verydeep.compress.search import Point
from verydeep.compress.settings import CompressSettings, Limit
from verydeep.compress.step import Calibration
from verydeep.data.split_file import SPLIT_FILE
from verydeep.errors import CompressionError
from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.metrics import accuracy, balanced_accuracy
from verydeep.evaluate.paired_difference import paired_difference
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.logits import predict_logits
from verydeep.number_format import duration
from verydeep.weight_files.checkpoint_file import compact_bytes, save
from verydeep.weight_files.tensor_checksum import tensor_checksum

MODEL, COMPACT = "model.safetensors", "model.vdz"
RESULT = "compress.json"
"""What was tried and measured, as ``--json`` prints it."""
SLOWER = 1.05
"""So many times the latency of the original is slower by the clock, and no noise."""

BITS_TO_TRY = {"drop": (3, BITS, 5, 8), "latency": (BITS,), "bytes": (8, 5, BITS, 3)}
"""Until the limit is met, by its kind: the fewest that lose little enough, or the most that fit."""
RECORD_BYTES = 500
"""Added to the origin of a network after its size is measured: its own candidate, and the test."""
ESTIMATE = 0.06
"""How far, as a share, the size of a quantized network may be from what is known without images."""

OnCandidate = Callable[[Candidate], None]
OnLine = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """The original and the result on the test images, read once."""

    __test__ = False  # no test of pytest, whatever its name says

    images: int
    before: float
    """Accuracy, or balanced accuracy where that decides, in [0, 1]."""
    after: float
    difference: Interval
    """After minus before, with its 95 % interval."""
    top1: float
    """The accuracy after, in [0, 1]."""

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "before": self.before,
            "after": self.after,
            "interval": [self.difference.low, self.difference.high],
        }


@dataclass(frozen=True, kw_only=True)
class CompressResult:
    """A finished compression."""

    run: Path
    """The folder of the result."""
    network: Checkpoint
    original: Measured
    result: Measured
    candidates: tuple[Candidate, ...]
    """Kept and rejected ones, in the order in which they were measured."""
    test: TestResult | None
    balanced: bool
    """Whether balanced accuracy decides."""
    images: int
    """That decide."""
    settings: CompressSettings
    notes: tuple[str, ...]
    seconds: float

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "run": str(self.run),
            "architecture": self.result.architecture,
            "before": self.original.values,
            "after": self.result.values,
            "test": self.test and self.test.values,
            "steps": [candidate.values for candidate in self.candidates],
        }


class _Compression:
    """The state of a compression: the network that was kept last, and all candidates so far."""

    def __init__(
        self,
        network: Checkpoint,
        images: CompressionImages,
        settings: CompressSettings,
        on_candidate: OnCandidate,
        on_line: OnLine,
    ) -> None:
        self.settings, self.on_candidate, self.on_line = settings, on_candidate, on_line
        self.bench = Bench(
            network,
            images.val,
            balanced=is_balanced(network),
            batch=settings.batch,
            threads=settings.threads,
        )
        self.calibration = Calibration(
            pixels=images.train.pixels, labels=images.train.labels, seed=settings.seed
        )
        self.candidates: list[Candidate] = []
        original = self.bench.measure(network, file_bytes(network))
        self.kept = self.record(Candidate("original", network, original, True, ""))

    @property
    def quantizes(self) -> bool:
        return "quantize" in self.settings.steps

    def size(self, network: Checkpoint) -> int:
        """The bytes of the file; before ``network`` is quantized, about those that it will then have."""
        return quantized_bytes(network) if self.quantizes else file_bytes(network)

    def measure(self, network: Checkpoint) -> Measured:
        return self.bench.measure(network, self.size(network))

    def record(self, candidate: Candidate) -> Candidate:
        self.candidates.append(candidate)
        self.on_candidate(candidate)
        return candidate

    def fold(self) -> None:
        try:
            result = fold(self.kept.checkpoint, self.calibration)
        except CompressionError as error:
            self.on_line(f"fold: {error}")
            return
        if result.checkpoint is self.kept.checkpoint:
            self.on_line(f"fold: {result.done}")
            return
        measured = self.measure(result.checkpoint)
        self.kept = self.record(Candidate("fold", result.checkpoint, measured, True, result.done))

    def narrow(self) -> None:
        limit = self.settings.limit
        before = replace(self.kept.measured, bytes=self.size(self.kept.checkpoint))
        if limit.kind != "drop" and limit.excess(before) <= 0:
            self.on_line(f"narrow: not needed; {limit.how_near(before)}")
            return
        began = time.perf_counter()
        narrowing = prepare_narrowing(self.kept.checkpoint, self.calibration)
        points = search_path(narrowing, limit, self.settings.batch, self.settings.threads)
        count = tries(points)
        self.on_line(
            f"narrow: {len(points)} architectures found by {len(narrowing.calibration):,} images in "
            f"{duration(time.perf_counter() - began)}; at most {count} of them are measured"
        )
        tried: list[Candidate] = []

        def is_met(point: Point) -> bool:
            started = time.perf_counter()
            tried.append(self.record(self._judged("narrow", narrowing.narrowed(point.channels).checkpoint)))
            if len(tried) == 1:
                left = (count - 1) * (time.perf_counter() - started)
                self.on_line(f"narrow: about {duration(left)} to come")
            return tried[-1].kept

        try_points(points, limit, is_met)
        accepted = [candidate for candidate in tried if candidate.kept]
        if not accepted and limit.kind == "drop" and self.quantizes:
            self.on_line(f"narrow: {_not_met(limit, tried)}")
            return
        if not accepted:
            raise CompressionError(_not_met(limit, tried))
        self.kept = accepted[-1]  # each one that is accepted is closer to the limit than those before
        for candidate in accepted[:-1]:
            index = self.candidates.index(candidate)
            why = f"{candidate.why}; {self.kept.measured.architecture} is kept"
            self.candidates[index] = replace(candidate, kept=False, why=why)

    def _judged(self, name: str, network: Checkpoint) -> Candidate:
        measured, limit = self.measure(network), self.settings.limit
        if limit.kind != "bytes" and is_slower(measured):
            return Candidate(name, network, measured, False, "slower than the original by the clock")
        if limit.kind == "drop" and self.quantizes and limit.excess(measured) <= 0:
            after = self.measure(quantize(network, self.calibration).checkpoint)
            why = f"in {BITS} bits {limit.how_near(after)}"
            return Candidate(name, network, measured, limit.excess(after) <= 0, why)
        return Candidate(name, network, measured, limit.excess(measured) <= 0, limit.how_near(measured))

    def quantize(self) -> None:
        limit, before = self.settings.limit, self.kept.checkpoint
        for bits in BITS_TO_TRY[limit.kind]:
            if limit.kind == "bytes" and quantized_bytes(before, bits) > (1 + ESTIMATE) * limit.value:
                continue
            result = quantize(before, self.calibration, bits)
            written = replace(result.checkpoint, origin=_origin(self.bench.original, self, None))
            measured = self.bench.measure(result.checkpoint, compact_bytes(written) + RECORD_BYTES)
            is_kept = limit.kind == "latency" or limit.excess(measured) <= 0
            why = f"{result.done}; {limit.how_near(measured)}"
            candidate = self.record(Candidate("quantize", result.checkpoint, measured, is_kept, why))
            if is_kept:
                self.kept = candidate
                return


def compress_network(
    network: Checkpoint,
    images: CompressionImages,
    settings: CompressSettings,
    out: Path,
    *,
    split: Path | None = None,
    on_candidate: OnCandidate = lambda candidate: None,
    on_line: OnLine = lambda line: None,
) -> CompressResult:
    """Compress ``network`` into the run folder ``out``: a checkpoint, and what was tried as JSON.

    Args:
        network: the original, in evaluation mode.
        images: those that calibrate, those that decide, and the test images.
        settings: the limit, the steps, and how latency is measured.
        out: a new or empty folder.
        split: the ``split.csv`` of the original's run, to be kept beside the result.
        on_candidate: called with each candidate once it is measured.
        on_line: called with what else there is to say.

    Raises:
        CompressionError: where ``out`` is not empty, a step cannot change the network, or the limit cannot be
            met, with how near it came.
        InUseError: where another process writes to ``out``.
    """
    began = time.perf_counter()
    with claim_folder(out):
        if any(child.name != LOCK for child in out.iterdir()):
            raise CompressionError(f"{out} is not empty. Give another --out")
        state = _Compression(network, images, settings, on_candidate, on_line)
        for step in settings.steps:
            {"fold": state.fold, "narrow": state.narrow, "quantize": state.quantize}[step]()
        if settings.limit.excess(state.kept.measured) > 0:
            raise CompressionError(_not_met(settings.limit, state.candidates))
        test = _tested(network, state.kept.checkpoint, images)
        compressed = replace(state.kept.checkpoint, origin=_origin(network, state, test))
        save(compressed, out / MODEL)
        smallest = out / MODEL
        if state.kept.name == "quantize":
            smallest = out / COMPACT
            save(compressed, smallest)
        written = replace(state.kept.measured, bytes=smallest.stat().st_size)
        result = CompressResult(
            run=out,
            network=compressed,
            original=state.candidates[0].measured,
            result=written,
            candidates=tuple(state.candidates),
            test=test,
            balanced=is_balanced(network),
            images=len(images.val),
            settings=settings,
            notes=images.notes,
            seconds=time.perf_counter() - began,
        )
        write_text(out / RESULT, json.dumps(result.values, indent=2) + "\n")
        if split is not None:
            shutil.copyfile(split, out / SPLIT_FILE)
    return result


def is_balanced(network: Checkpoint) -> bool:
    """Whether balanced accuracy decides: that of ``verydeep tune`` does."""
    return "strategy" in network.origin


def is_slower(measured: Measured) -> bool:
    """Whether it is slower than the original by the clock."""
    return measured.latency_ms > SLOWER * measured.original_ms


def _not_met(limit: Limit, tried: list[Candidate]) -> str:
    nearest = min(tried, key=lambda each: limit.excess(each.measured)).measured
    if limit.excess(nearest) <= 0:
        return (
            f"{nearest.architecture} is slower than the original by the clock ({nearest.latency_ms:.3g} and "
            f"{nearest.original_ms:.3g} ms), and no other network meets --{limit.kind}. Allow more by it, or "
            "run it again where nothing else runs"
        )
    advice = {
        "drop": "Allow a larger --drop",
        "latency": "Allow more by --latency, or take a smaller network",
        "bytes": "Allow more by --bytes, or take a smaller network",
    }[limit.kind]
    return (
        f"--{limit.kind} cannot be met: {nearest.architecture} comes nearest, with "
        f"{limit.how_near(nearest)}. {advice}"
    )


def _tested(before: Checkpoint, after: Checkpoint, images: CompressionImages) -> TestResult | None:
    if images.test is None or images.test.labels is None:
        return None
    labels, balanced = images.test.labels.numpy(), is_balanced(before)
    first, second = (
        predict_logits(each.model, images.test.pixels, each.preprocess).numpy() for each in (before, after)
    )
    measure = balanced_accuracy if balanced else accuracy
    return TestResult(
        images=len(labels),
        before=measure(first, labels),
        after=measure(second, labels),
        difference=paired_difference(first, second, labels, images.test.groups, balanced=balanced),
        top1=accuracy(second, labels),
    )


def _origin(original: Checkpoint, state: _Compression, test: TestResult | None) -> dict[str, Any]:
    """Where the network that was kept comes from, without what holds for the original alone."""
    stale = {"temperature", "test_top1", "test_balanced_accuracy", "compress"}
    origin = {key: value for key, value in original.origin.items() if key not in stale}
    if test is not None:
        origin["test_top1"] = test.top1
    origin["compress"] = {
        "verydeep": version("verydeep"),
        "source": tensor_checksum(original.model.state_dict()),
        "settings": state.settings.values,
        "steps": [candidate.values for candidate in state.candidates],
        "before": state.candidates[0].measured.values,
        "after": state.kept.measured.values,
        "test": test and test.values,
    }
    return origin
