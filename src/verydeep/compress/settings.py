"""What a compression is asked for: a limit of the loss, the latency or the bytes, and how to get there."""

import re
from dataclasses import asdict, dataclass
from math import inf
from typing import Any, Literal, get_args

from verydeep.compress.candidate import Measured
from verydeep.errors import CompressionError

StepName = Literal["fold", "narrow", "distill", "scratch", "quantize"]
STEPS: tuple[StepName, ...] = get_args(StepName)
TRAINED: tuple[StepName, ...] = ("distill", "scratch")
"""The steps that train, within the budget."""
DEFAULT_DROP = 0.1
_UNITS = {"ms": 1.0, "s": 1000.0, "": 1.0, "B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9}


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What the result may lose, or must reach."""

    kind: Literal["drop", "latency", "bytes"]
    value: float
    """In percentage points, ms or bytes."""
    strict: bool = False
    """Whether the one-sided 95 % bound of the loss must hold, not only its estimate."""

    def excess(self, measured: Measured) -> float:
        """By how much ``measured`` misses it, in its unit; at most 0 where it is met."""
        if self.kind == "drop":
            return loss_points(measured, strict=self.strict) - self.value
        if self.kind == "latency":
            return measured.latency_ms - self.value
        return measured.bytes - self.value

    def cost(self, measured: Measured, original: Measured) -> float:
        """Of two networks that meet it, the lower cost is better: smaller and faster, or more accurate."""
        if self.kind == "drop":  # half the latency is worth half the bytes
            return measured.latency_ms / measured.original_ms * measured.bytes / original.bytes
        return -measured.difference.value

    def how_near(self, measured: Measured) -> str:
        """What ``measured`` has of it, beside the limit."""
        if self.kind == "drop":
            bound = " by its 95 % bound" if self.strict else ""
            loss = loss_points(measured, strict=self.strict)
            return f"{loss:+.2f} points lost{bound}, {self.value:g} allowed"
        if self.kind == "latency":
            return f"{measured.latency_ms:.3g} ms, {self.value:g} allowed"
        return f"{measured.bytes:,} bytes, {self.value:,.0f} allowed"


def loss_points(measured: Measured, *, strict: bool) -> float:
    """The percentage points that are lost; with ``strict``, at most with 95 % confidence."""
    return -100 * (measured.difference.low if strict else measured.difference.value) + 0.0


MOST = 2**20
"""Of images in a batch, and of threads."""


@dataclass(frozen=True, kw_only=True)
class CompressSettings:
    """All that decides a compression, beside the network and the images.

    Raises:
        CompressionError: where a value is out of range.
    """

    limit: Limit
    steps: tuple[StepName, ...] = STEPS
    budget_s: float = 0.0
    """Seconds that training may take; 0 for none, infinity without a limit."""
    batch: int = 1
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, count in (("batch", self.batch), ("threads", self.threads)):
            if not 1 <= count <= MOST:
                raise CompressionError(f"--{name} is {count}; expected 1 to {MOST:,}")
        if not 0 <= self.seed < 2**63:
            raise CompressionError(f"--seed is {self.seed}; expected 0 to 2**63 - 1")
        value = self.limit.value
        if not (0 <= value <= 100 if self.limit.kind == "drop" else value > 0):
            expected = "0 to 100 percentage points" if self.limit.kind == "drop" else "a positive number"
            raise CompressionError(f"--{self.limit.kind} is {value:g}; expected {expected}")
        if "distill" in self.steps and "narrow" not in self.steps:
            raise CompressionError("--steps has distill, which trains what narrow makes; add narrow")

    @property
    def values(self) -> dict[str, Any]:
        """For JSON, which has no infinity."""
        return {**asdict(self), "budget_s": None if self.budget_s == inf else self.budget_s}

    @property
    def quantizes(self) -> bool:
        """Whether weights become integers at the end."""
        return "quantize" in self.steps

    def trains(self, step: StepName) -> bool:
        """Whether ``step``, one of ``TRAINED``, is asked for and may take time."""
        return step in self.steps and self.budget_s > 0


def parse_limit(drop: float | None, latency: str | None, size: str | None, *, strict: bool = False) -> Limit:
    """The limit of the flags ``--drop``, ``--latency`` and ``--bytes``, of which one may be given.

    Raises:
        CompressionError: where two are given, one cannot be read, or ``strict`` is given without a loss.
    """
    given = {"--drop": drop, "--latency": latency, "--bytes": size}
    named = [flag for flag, value in given.items() if value is not None]
    if len(named) > 1:
        raise CompressionError(f"{' and '.join(named)} are given; give one limit")
    if strict and (latency or size):
        raise CompressionError(f"--strict is for the loss; {named[0]} does not limit it. Give --drop")
    if latency is not None:
        return Limit(kind="latency", value=_number(latency, "--latency", ("ms", "s"), "5ms"))
    if size is not None:
        return Limit(kind="bytes", value=_number(size, "--bytes", ("", "B", "KB", "MB", "GB"), "60KB"))
    return Limit(kind="drop", value=DEFAULT_DROP if drop is None else drop, strict=strict)


def _number(text: str, flag: str, units: tuple[str, ...], example: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", text.strip())
    known = {unit.lower(): unit for unit in units}
    if match is None or match[2].lower() not in known:
        raise CompressionError(f"{flag} is {text!r}; expected a number with a unit, such as {example}")
    return float(match[1]) * _UNITS[known[match[2].lower()]]


def parse_steps(text: str) -> tuple[StepName, ...]:
    """The steps of ``--steps``, such as ``fold,narrow``, in the order in which they are taken.

    Raises:
        CompressionError: naming the one that is not known.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in STEPS]:
        raise CompressionError(f"--steps has {unknown[0]!r}; expected some of {', '.join(STEPS)}")
    if not names:
        raise CompressionError(f"--steps is empty; expected some of {', '.join(STEPS)}")
    return tuple(step for step in STEPS if step in names)
