"""The state of a compression: the network that is kept, and all that was measured."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NoReturn

from verydeep.compress.calibration import Calibration, StepResult
from verydeep.compress.candidate import Candidate, Measured
from verydeep.compress.image_part import ImagePart
from verydeep.compress.images import CompressionImages
from verydeep.compress.journal import Journal
from verydeep.compress.judge import Judge, Latency, measured
from verydeep.compress.origin import is_balanced, origin_of
from verydeep.compress.settings import TRAINED, CompressSettings, StepName
from verydeep.compress.steps.quantize import BITS, quantize, quantized_bytes
from verydeep.errors import CompressionError
from verydeep.models.checkpoint import Checkpoint
from verydeep.weight_files.checkpoint_file import checkpoint_bytes, compact_bytes

SLOWER = 1.05
"""So many times the latency of the original is slower by the clock, and no noise."""
RESERVED_BYTES = 1_000
"""Of a limited file, for what is recorded in it later: the last steps, and what the test images show. In a
compact file, whose text is packed, it is a third."""

OnCandidate = Callable[[Candidate], None]
OnLine = Callable[[str], None]


class Compression:
    """The network that was kept last, and all candidates so far.

    Args:
        network: the original.
        images: those that calibrate, and those that decide.
        settings: the limit and the steps.
        journal: what an earlier process has measured.
        on_candidate: called with each candidate.
        on_line: called with what else there is to say.
    """

    def __init__(
        self,
        network: Checkpoint,
        images: CompressionImages,
        settings: CompressSettings,
        journal: Journal,
        on_candidate: OnCandidate,
        on_line: OnLine,
    ) -> None:
        self.original, self.images, self.settings, self.journal = network, images, settings, journal
        self.on_candidate, self.on_line = on_candidate, on_line
        self.judge = Judge(
            network,
            images.val,
            balanced=is_balanced(network),
            batch=settings.batch,
            threads=settings.threads,
        )
        self.candidates: list[Candidate] = []
        self._train = {network.preprocess.size: images.train}
        self._quantized_of: Checkpoint | None = None
        self._quantized: dict[int, StepResult] = {}
        self.kept = self.tried("original", self._measured_original, source=network)

    def _measured_original(self) -> Candidate:
        size = checkpoint_bytes(self.original)
        return Candidate("original", self.original, self.measure(self.original, size), True, "")

    @property
    def network(self) -> Checkpoint:
        """The one that is kept."""
        assert self.kept.checkpoint is not None
        return self.kept.checkpoint

    @property
    def has_accepted(self) -> bool:
        """Whether a network is kept that was changed so that it had to be judged by the limit."""
        return self.kept.name not in ("original", "fold")

    @property
    def reaches_limit(self) -> bool:
        """Whether the network that is kept has the latency or size that is asked for; False for a loss."""
        limit = self.settings.limit
        if limit.kind == "drop":
            return False
        if limit.kind == "latency":
            return limit.excess(self.kept.measured) <= 0
        size = self.size(self.network, is_quantized=self.kept.name == "quantize")
        return limit.excess(replace(self.kept.measured, bytes=size)) <= 0

    def seconds_to(self, step: StepName) -> float:
        """What is left of the budget for ``step``: ``distill`` leaves half of it for ``scratch``."""
        has_contenders = self.settings.trains("scratch") and self.images.train.labels is not None
        share = 0.5 if step == "distill" and has_contenders else 1.0
        spent = self.journal.seconds(*TRAINED) + sum(self.journal.content.failed.values())
        return share * self.settings.budget_s - spent

    def train_images(self, network: Checkpoint) -> ImagePart:
        """The training images as ``network`` takes them."""
        size = network.preprocess.size
        if size not in self._train:
            self._train[size] = self.images.train.at_input_of(network.preprocess)
        return self._train[size]

    def calibration_of(self, network: Checkpoint) -> Calibration:
        """The same, for a step."""
        return Calibration(pixels=self.train_images(network).pixels, seed=self.settings.seed)

    def size(self, network: Checkpoint, *, is_quantized: bool = False) -> int:
        """The bytes of its file; before its weights are integers, about those that it will then have."""
        network = replace(network, origin=origin_of(self.original, self.settings, self.candidates, network))
        reserved = RESERVED_BYTES if self.settings.limit.kind == "bytes" else 0
        if is_quantized:
            return reserved // 3 + compact_bytes(network)
        if self.settings.quantizes:
            return reserved // 3 + quantized_bytes(network)
        return reserved + checkpoint_bytes(network)

    def measure(self, network: Checkpoint, size: int, latency: Latency | None = None) -> Measured:
        """What is measured of ``network``, with a file of ``size`` bytes, and the latency that is known."""
        accuracy = self.judge.accuracy(network)
        return measured(network, accuracy, latency or self.judge.latency(network), size)

    def tried(
        self,
        key: str,
        make: Callable[[], Candidate],
        *,
        source: Checkpoint | None = None,
        earlier_seconds: float = 0.0,
    ) -> Candidate:
        """The candidate that ``make`` makes and measures, or the journal has; it is added to all others."""
        candidate = self.journal.candidate(key, make, source=source, earlier_seconds=earlier_seconds)
        if not candidate.kept:
            candidate = replace(candidate, checkpoint=None)
        self.candidates.append(candidate)
        self.on_candidate(candidate)
        return candidate

    def judged(self, name: StepName, network: Checkpoint, done: str = "") -> Candidate:
        """``network`` measured, and accepted where it meets the limit: with ``--drop`` in integers too."""
        limit = self.settings.limit
        found = self.measure(network, self.size(network))
        is_kept, why = limit.excess(found) <= 0, limit.how_near(found)
        if found.latency_ms > SLOWER * found.original_ms:
            is_kept, why = False, "slower than the original by the clock"
        elif limit.kind == "drop" and self.settings.quantizes and is_kept:
            latency = Latency(found.latency_ms, found.original_ms)
            after = self.measure(self.in_integers(network, BITS).checkpoint, found.bytes, latency)
            is_kept, why = limit.excess(after) <= 0, f"in {BITS} bits {limit.how_near(after)}"
        return Candidate(name, network, found, is_kept, "; ".join(filter(None, [done, why])))

    def in_integers(self, network: Checkpoint, bits: int) -> StepResult:
        """``network`` in so many bits; what was asked of the last network is remembered."""
        if self._quantized_of is not network:
            self._quantized_of, self._quantized = network, {}
        if bits not in self._quantized:
            self._quantized[bits] = quantize(network, self.calibration_of(network), bits)
        return self._quantized[bits]

    def keep_best(self, tried: list[Candidate]) -> None:
        """Keep the best of ``tried`` that is accepted, if it is better than what a step before has kept."""
        original, limit = self.candidates[0].measured, self.settings.limit
        accepted = [candidate for candidate in tried if candidate.kept]
        if self.has_accepted or self.reaches_limit:
            accepted.append(self.kept)
        if not accepted:
            return
        self.kept = min(accepted, key=lambda each: limit.cost(each.measured, original))
        for candidate in accepted:
            if candidate is not self.kept:
                self._replace(candidate)

    def _replace(self, candidate: Candidate) -> None:
        """It is accepted, and another one kept in its place."""
        if candidate.name in ("original", "fold"):
            return
        why = f"{candidate.why}; {self.kept.name} {self.kept.measured.architecture} is kept"
        index = next(i for i, each in enumerate(self.candidates) if each is candidate)
        self.candidates[index] = replace(candidate, checkpoint=None, kept=False, why=why)

    def set_bytes(self, size: int) -> None:
        """Note the size of the file that is written, in place of an estimate."""
        index = next(i for i, each in enumerate(self.candidates) if each is self.kept)
        self.kept = replace(self.kept, measured=replace(self.kept.measured, bytes=size))
        self.candidates[index] = self.kept


def refuse(compression: Compression, tried: Sequence[Candidate]) -> NoReturn:
    """End without a network that meets the limit.

    Raises:
        CompressionError: naming the one of ``tried`` that comes nearest.
    """
    limit = compression.settings.limit
    nearest = min(tried, key=lambda each: limit.excess(each.measured)).measured
    if limit.excess(nearest) <= 0:
        raise CompressionError(
            f"{nearest.architecture} is slower than the original by the clock ({nearest.latency_ms:.3g} and "
            f"{nearest.original_ms:.3g} ms), and no other network meets --{limit.kind}. Allow more by it, or "
            "run it again where nothing else runs"
        )
    advice = {
        "drop": "Allow a larger --drop",
        "latency": "Allow more by --latency, or take a smaller network",
        "bytes": "Allow more by --bytes, or take a smaller network",
    }[limit.kind]
    raise CompressionError(
        f"--{limit.kind} cannot be met: {nearest.architecture} comes nearest, with "
        f"{limit.how_near(nearest)}. {advice}"
    )
