"""The flags of ``verydeep show`` that forecast the memory of training, and the forecast as JSON."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from verydeep.analyze.dtypes import Dtype, Optimizer
from verydeep.architecture.architecture import Architecture

if TYPE_CHECKING:
    from verydeep.analyze.memory import Forecast

_FLAG = Parameter(group=Group("Memory of training"), show_default=False)


@dataclass(frozen=True, kw_only=True)
class TrainingFlags:
    """What a training step is like; any of these asks for its memory."""

    training: Annotated[bool, _FLAG] = False
    """Forecast the memory of a training step: what each layer keeps, the sum, the peak."""
    batch: Annotated[int | None, _FLAG] = None
    """Images of a step; 32 by default."""
    optimizer: Annotated[Optimizer | None, _FLAG] = None
    """sgd has momentum, and is the default."""
    dtype: Annotated[Dtype | None, _FLAG] = None
    """fp32 by default; bf16 is mixed precision, with weights in fp32."""
    memory: Annotated[float | None, _FLAG] = None
    """GB (10^9 bytes) that the largest batch is to fit in; 24 by default."""

    @property
    def wanted(self) -> bool:
        """Whether any was given."""
        return self.training or any(
            value is not None for value in (self.batch, self.optimizer, self.dtype, self.memory)
        )

    @property
    def bytes(self) -> int:
        """What the largest batch is to fit in."""
        return round((24 if self.memory is None else self.memory) * 10**9)

    def forecast(self, architecture: Architecture) -> "Forecast | None":
        """The forecast, where it is wanted."""
        if not self.wanted:
            return None
        from verydeep.analyze.memory import forecast  # 10 ms that a table without memory should not pay

        batch = 32 if self.batch is None else self.batch
        return forecast(architecture, batch, self.optimizer or "sgd", self.dtype or "fp32")


def memory_values(foreseen: "Forecast", memory: int) -> dict[str, Any]:
    """``foreseen`` as JSON values, all sizes in bytes; ``memory`` is what the largest batch is to fit in."""
    return {
        "memory": {
            "batch": foreseen.batch,
            "optimizer": foreseen.optimizer,
            "dtype": foreseen.dtype,
            "weights": foreseen.weights,
            "gradients": foreseen.gradients,
            "optimizer_state": foreseen.optimizer_state,
            "activations": foreseen.activations,
            "weight_copies": foreseen.weight_copies,
            "total": foreseen.total,
            "peak": foreseen.peak.bytes(foreseen.batch),
            "peak_at": foreseen.peak.name,
            "memory": memory,
            "largest_batch": foreseen.largest_batch(memory),
            "layers": [{"name": layer.name, "kept": layer.kept} for layer in foreseen.layers],
        }
    }
