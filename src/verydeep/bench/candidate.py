"""A network in one runtime and precision, as the processes that are timed get it: without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from verydeep.runtime.bundle import Precision
from verydeep.runtime.extras import Runtime

BenchRuntime = Literal["torch", Runtime]
BENCH_RUNTIMES: tuple[BenchRuntime, ...] = get_args(BenchRuntime)


@dataclass(frozen=True)
class Candidate:
    """A network in one runtime and precision."""

    runtime: BenchRuntime
    precision: Precision
    path: Path
    """The checkpoint for torch, else the bundle."""
