"""The flags of ``verydeep show`` for an estimate of training memory."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from verydeep.analyze.dtypes import Dtype, Optimizer
from verydeep.analyze.memory_limit import DEFAULT_LIMIT, memory_limit
from verydeep.architecture.architecture import Architecture

if TYPE_CHECKING:
    from verydeep.analyze.memory import MemoryEstimate

_FLAG = Parameter(group=Group("Training memory"), show_default=False)


@dataclass(frozen=True, kw_only=True)
class MemoryFlags:
    """The options of a training step; each of them asks for the estimate."""

    training: Annotated[bool, _FLAG] = False
    """Estimate the memory of a training step: saved tensors of each layer, total, peak."""
    batch: Annotated[int | None, _FLAG] = None
    """Batch size; 32 by default."""
    optimizer: Annotated[Optimizer | None, _FLAG] = None
    """sgd (with momentum) by default."""
    dtype: Annotated[Dtype | None, _FLAG] = None
    """fp32 by default; bf16 is mixed precision, with weights in fp32."""
    memory: Annotated[str | None, _FLAG] = None
    """Memory limit for the largest batch, such as 24GB or 16GiB (GB without a unit); 24GB by default."""

    @property
    def is_given(self) -> bool:
        """Whether any of the flags was given."""
        return self.training or any(
            value is not None for value in (self.batch, self.optimizer, self.dtype, self.memory)
        )

    @property
    def limit(self) -> int:
        """The memory limit for the largest batch, in bytes.

        Raises:
            ArchitectureError: if the flag is not an amount of memory.
        """
        return memory_limit(DEFAULT_LIMIT if self.memory is None else self.memory)

    def estimate(self, architecture: Architecture) -> "MemoryEstimate":
        """The memory of a training step with these options."""
        from verydeep.analyze.memory import estimate_memory  # 10 ms that a table without memory does not need

        batch = 32 if self.batch is None else self.batch
        return estimate_memory(architecture, batch, self.optimizer or "sgd", self.dtype or "fp32")
