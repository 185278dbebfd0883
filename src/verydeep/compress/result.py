"""The result of ``verydeep compress``: plain values, for a table, a page or a script."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verydeep.compress.candidate import Candidate, Measured
from verydeep.compress.comparison import Comparison
from verydeep.compress.settings import CompressSettings
from verydeep.evaluate.confidence_intervals import Interval
from verydeep.models.checkpoint import Checkpoint


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
    source: Checkpoint
    """The original."""
    network: Checkpoint
    """The result."""
    original: Measured
    result: Measured
    candidates: tuple[Candidate, ...]
    """Kept and rejected ones, in the order in which they were measured."""
    comparison: Comparison
    """The original and the result on the images that decide."""
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
