"""The steps of a compression one after the other, each on what the ones before left."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from verydeep.compress.calibration import Calibration, StepResult
from verydeep.compress.candidate import Bench, Candidate, Measured, file_bytes
from verydeep.compress.distill import EPOCHS, distill, read_teacher, seconds_an_epoch
from verydeep.compress.fold import fold
from verydeep.compress.images import CompressionImages
from verydeep.compress.narrow.halving import search_path, tries, try_points
from verydeep.compress.narrow.narrowing import Narrowing, prepare_narrowing
from verydeep.compress.narrow.search import Point
from verydeep.compress.quantize import BITS, quantize, quantized_bytes
from verydeep.compress.result import TestResult
from verydeep.compress.settings import CompressSettings, Limit, StepName, loss_points
from verydeep.errors import CompressionError
from verydeep.models.checkpoint import Checkpoint
from verydeep.number_format import duration
from verydeep.train.recipe import parse_recipe
from verydeep.weight_files.checkpoint_file import compact_bytes
from verydeep.weight_files.tensor_checksum import tensor_checksum

SLOWER = 1.05
"""So many times the latency of the original is slower by the clock, and no noise."""
RECOVERABLE = 1.5
"""Percentage points: what loses more than so many beyond the limit is not worth training."""

BITS_TO_TRY = {"drop": (3, BITS, 5, 8), "latency": (BITS,), "bytes": (8, 5, BITS, 3)}
"""Until the limit is met, by its kind: the fewest that lose little enough, or the most that fit."""
RECORD_BYTES = 500
"""Added to the origin of a network for each candidate after it, and for the test; packed, a third of it."""
ESTIMATE = 0.06
"""How far, as a share, the size of a quantized network may be from what is known without images."""

OnCandidate = Callable[[Candidate], None]
OnLine = Callable[[str], None]


class Compression:
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
        self.to_come = 0
        """Candidates that may still be measured after the next one."""
        original = self.bench.measure(network, file_bytes(network))
        self.kept = self.record(Candidate("original", network, original, True, ""))

    @property
    def quantizes(self) -> bool:
        """Whether weights become integers at the end."""
        return "quantize" in self.settings.steps

    def size(self, network: Checkpoint) -> int:
        """The bytes of the file; before ``network`` is quantized, about those that it will then have.

        Where they are limited, those of the record of all candidates are among them.
        """
        reserved = 0
        if self.settings.limit.kind == "bytes":
            network = replace(network, origin=origin_of(self.bench.original, self, None))
            reserved = RECORD_BYTES * (2 + self.to_come) // (3 if self.quantizes else 1)
        return reserved + (quantized_bytes(network) if self.quantizes else file_bytes(network))

    def measure(self, network: Checkpoint) -> Measured:
        """What is measured of ``network``, with this size."""
        return self.bench.measure(network, self.size(network))

    def record(self, candidate: Candidate) -> Candidate:
        """Add ``candidate`` to those that were measured."""
        self.candidates.append(candidate)
        self.on_candidate(candidate)
        return candidate

    def take(self, step: StepName) -> None:
        """Take one step; ``distill`` follows a ``narrow`` before it.

        Raises:
            CompressionError: where the step cannot change the network, or nothing meets the limit.
        """
        if step == "fold":
            self._fold()
        elif step == "narrow":
            self._narrow()
        elif step == "quantize":
            self._quantize()

    def _fold(self) -> None:
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

    def _narrow(self) -> None:
        limit = self.settings.limit
        before = replace(self.kept.measured, bytes=self.size(self.kept.checkpoint))
        if limit.kind != "drop" and limit.excess(before) <= 0:
            self.on_line(f"narrow: not needed; {limit.how_near(before)}")
            return
        began = time.perf_counter()
        try:
            narrowing = prepare_narrowing(self.kept.checkpoint, self.calibration)
        except CompressionError as error:
            if not self.quantizes:
                raise
            self.on_line(f"narrow: {error}")
            return
        points = search_path(narrowing, limit, self.settings.batch, self.settings.threads)
        count = tries(points)
        self.on_line(
            f"narrow: {len(points)} architectures found by {len(narrowing.calibration):,} images in "
            f"{duration(time.perf_counter() - began)}; at most {count} of them are measured"
        )
        narrowed: dict[int, Candidate] = {}

        def is_met(index: int) -> bool:
            started = time.perf_counter()
            self.to_come = count - len(narrowed) - 1
            result = narrowing.narrowed(points[index].channels)
            narrowed[index] = self.record(self._judged("narrow", result))
            if len(narrowed) == 1:
                left = (count - 1) * (time.perf_counter() - started)
                self.on_line(f"narrow: about {duration(left)} to come")
            return narrowed[index].kept

        try_points(range(len(points)), limit, is_met)
        self._keep_last(list(narrowed.values()))
        distilled: list[Candidate] = []
        if "distill" in self.settings.steps and self.settings.budget_s > 0:
            indices = self._to_train(narrowed, len(points))
            distilled = self._distill(narrowing, [points[index] for index in indices])
        tried = [*narrowed.values(), *distilled]
        if any(candidate.kept for candidate in tried):
            return
        if limit.kind == "drop" and self.quantizes:
            self.on_line(f"narrow: no network meets --drop in {BITS} bits; the widths stay")
        else:
            raise CompressionError(not_met(limit, tried))

    def _to_train(self, narrowed: Mapping[int, Candidate], points: int) -> range:
        """The points that training may bring within the limit: none that meets it already."""
        limit, met = self.settings.limit, [index for index, each in narrowed.items() if each.kept]
        if limit.kind != "drop":
            return range(min(met), min(met) + 1) if met else range(0)
        hopeless = [i for i, each in narrowed.items() if limit.excess(each.measured) > RECOVERABLE]
        return range(max(met, default=-1) + 1, min(hopeless, default=points))

    def _distill(self, narrowing: Narrowing, points: Sequence[Point]) -> list[Candidate]:
        """Train the networks of ``points`` by halving, as long as the budget lasts."""
        if not points:
            return []
        deadline = time.perf_counter() + self.settings.budget_s
        original = self.bench.original
        teacher = read_teacher(original, self.calibration, flips=trains_with_flips(original))
        tried: list[Candidate] = []

        def is_met(index: int) -> bool:
            student = narrowing.narrowed(points[index].channels).checkpoint
            forecast = EPOCHS * seconds_an_epoch(student, self.calibration, teacher)
            name = student.model.architecture.string
            if time.perf_counter() + forecast > deadline:
                self.on_line(f"distill: {name} would take {duration(forecast)}, beyond --budget")
                raise _BudgetSpent
            self.on_line(f"distill: {name}, about {duration(forecast)}")
            result = distill(student, self.calibration, teacher, EPOCHS)
            tried.append(self.record(self._judged("distill", result)))
            return tried[-1].kept

        with suppress(_BudgetSpent):
            try_points(range(len(points)), self.settings.limit, is_met)
        self._keep_last(tried)
        return tried

    def _keep_last(self, tried: Sequence[Candidate]) -> None:
        """Keep the last candidate that is accepted, which is closer to the limit than those before it."""
        accepted = [candidate for candidate in tried if candidate.kept]
        if not accepted:
            return
        replaced = accepted[:-1] if self.kept.name in ("original", "fold") else [self.kept, *accepted[:-1]]
        self.kept = accepted[-1]
        for candidate in replaced:
            why = f"{candidate.why}; {self.kept.name} {self.kept.measured.architecture} is kept"
            index = self.candidates.index(candidate)
            self.candidates[index] = replace(candidate, kept=False, why=why)

    def _judged(self, name: StepName, result: StepResult) -> Candidate:
        measured, limit = self.measure(result.checkpoint), self.settings.limit
        is_kept, why = limit.excess(measured) <= 0, limit.how_near(measured)
        if limit.kind == "drop" and self.quantizes and is_kept:
            after = self.measure(quantize(result.checkpoint, self.calibration).checkpoint)
            is_kept, why = limit.excess(after) <= 0, f"in {BITS} bits {limit.how_near(after)}"
        if name == "distill" and limit.kind != "drop":  # the architecture meets the limit already
            is_kept = measured.difference.value > self.kept.measured.difference.value
            why = f"{loss_points(measured, strict=False):+.2f} points lost; {result.done}"
        if limit.kind != "bytes" and is_slower(measured):
            is_kept, why = False, "slower than the original by the clock"
        return Candidate(name, result.checkpoint, measured, is_kept, why)

    def _quantize(self) -> None:
        limit, before = self.settings.limit, self.kept
        tried: list[Candidate] = []
        fewest = BITS_TO_TRY[limit.kind][-1]
        for bits in BITS_TO_TRY[limit.kind]:
            estimated = quantized_bytes(before.checkpoint, bits) if limit.kind == "bytes" else 0
            if bits != fewest and estimated > (1 + ESTIMATE) * limit.value:
                continue
            result = quantize(before.checkpoint, self.calibration, bits)
            written = replace(result.checkpoint, origin=origin_of(self.bench.original, self, None))
            measured = self.bench.measure(result.checkpoint, compact_bytes(written) + RECORD_BYTES)
            # It computes in fp32 as before: another time is noise, which must not decide.
            measured = replace(
                measured, latency_ms=before.measured.latency_ms, original_ms=before.measured.original_ms
            )
            is_kept = limit.excess(measured) <= 0
            why = f"{result.done}; {limit.how_near(measured)}"
            tried.append(self.record(Candidate("quantize", result.checkpoint, measured, is_kept, why)))
            if is_kept:
                self.kept = tried[-1]
                return
        if limit.kind == "bytes":
            raise CompressionError(not_met(limit, tried))


class _BudgetSpent(Exception):
    """No time is left for another training."""


def trains_with_flips(network: Checkpoint) -> bool:
    """Whether the training of ``network`` flipped its images, by the recipe in it; False where unknown."""
    recipe = network.origin.get("recipe")
    if not isinstance(recipe, str) or is_balanced(network):
        return False
    return parse_recipe(recipe, "the recipe in the checkpoint").augment.flip != "none"


def is_balanced(network: Checkpoint) -> bool:
    """Whether balanced accuracy decides: that of ``verydeep tune`` does."""
    return "strategy" in network.origin


def is_slower(measured: Measured) -> bool:
    """Whether it is slower than the original by the clock."""
    return measured.latency_ms > SLOWER * measured.original_ms


def not_met(limit: Limit, tried: list[Candidate]) -> str:
    """Which of ``tried`` comes nearest to ``limit``, and what to do."""
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


def origin_of(original: Checkpoint, state: Compression, test: TestResult | None) -> dict[str, Any]:
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
