"""A network in one runtime and precision, as the processes that are timed get it: without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from verydeep.runtime.bundle import Precision

BenchRuntime = Literal["torch", "onnxruntime", "openvino", "ncnn"]
BENCH_RUNTIMES: tuple[BenchRuntime, ...] = get_args(BenchRuntime)


@dataclass(frozen=True)
class Candidate:
    """A network in one runtime and precision."""

    runtime: BenchRuntime
    precision: Precision
    path: Path
    """The checkpoint for torch, else the bundle."""

    @property
    def bytes(self) -> int:
        """Its size on the disk."""
        files = (
            [self.path] if self.path.is_file() else [each for each in self.path.rglob("*") if each.is_file()]
        )
        return sum(file.stat().st_size for file in files if file.is_file())
