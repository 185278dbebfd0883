"""An estimate of training memory without torch: tensors saved for the backward pass, and the peak."""

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from verydeep.analyze.dtypes import ACTIVATION_BYTES, FP32, STATES, Dtype, Optimizer
from verydeep.analyze.saved_tensors import Activation, SavedTensors
from verydeep.architecture.architecture import Architecture
from verydeep.errors import ArchitectureError

MAX_BATCH = 1_000_000_000
"""The largest batch: the bytes of larger ones have no use, and soon no number."""


@dataclass(frozen=True, kw_only=True)
class LayerMemory:
    """The bytes of one layer that are saved for the backward pass, for the whole batch."""

    name: str
    """As in the trace; ``input`` before the first layer and ``loss`` after the last."""
    maps: int
    """Its output, if an operation needs it in the backward pass."""
    extras: int
    """Other tensors: indices of maxima, statistics, dropout."""
    weight_copy: int
    """The copy of its weights in bf16."""

    @property
    def saved(self) -> int:
        """The sum of the three."""
        return self.maps + self.extras + self.weight_copy


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One moment of a training step, and the bytes that are allocated then."""

    name: str
    fixed: int
    """Independent of the batch size."""
    per_image: int

    def bytes(self, batch: int) -> int:
        """The allocated bytes with ``batch`` images."""
        return self.fixed + batch * self.per_image


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """The memory of one training step, in bytes."""

    batch: int
    optimizer: Optimizer
    dtype: Dtype
    weights: int
    """Parameters and the running statistics of norms, in fp32."""
    gradients: int
    """In fp32."""
    optimizer_state: int
    """In fp32."""
    layers: tuple[LayerMemory, ...]
    moments: tuple[Moment, ...]
    """The backward pass, one moment per operation, and the optimizer step."""

    @property
    def saved(self) -> tuple[int, ...]:
        """The saved bytes of the input, of each layer and of the loss."""
        return tuple(layer.saved for layer in self.layers)

    @property
    def activations(self) -> int:
        """All saved bytes of the batch, without copies of weights."""
        return sum(layer.maps + layer.extras for layer in self.layers)

    @property
    def weight_copies(self) -> int:
        """The copies of weights in bf16 that the backward pass needs; 0 in fp32."""
        return sum(layer.weight_copy for layer in self.layers)

    @property
    def total(self) -> int:
        """The sum of the five, as if all were allocated at the same time."""
        return self.weights + self.gradients + self.optimizer_state + self.activations + self.weight_copies

    @property
    def peak(self) -> Moment:
        """The moment with the most memory.

        Gradients are allocated while activations are freed, and a step needs scratch memory.
        """
        return max(self.moments, key=lambda moment: moment.bytes(self.batch))

    def largest_batch(self, memory: int) -> int:
        """The largest batch whose training step fits in ``memory`` bytes; 0 if not even one image fits."""
        return max(0, min((memory - moment.fixed) // moment.per_image for moment in self.moments))

    def to_dict(self, memory: int) -> dict[str, Any]:
        """JSON values, sizes in bytes; ``memory`` is the limit for ``largest_batch``."""
        return {
            "batch": self.batch,
            "optimizer": self.optimizer,
            "dtype": self.dtype,
            "weights": self.weights,
            "gradients": self.gradients,
            "optimizer_state": self.optimizer_state,
            "activations": self.activations,
            "weight_copies": self.weight_copies,
            "total": self.total,
            "peak": self.peak.bytes(self.batch),
            "peak_at": self.peak.name,
            "memory_limit": memory,
            "largest_batch": self.largest_batch(memory),
            "layers": [{"name": layer.name, "saved": layer.saved} for layer in self.layers],
        }


def estimate_memory(
    architecture: Architecture, batch: int = 32, optimizer: Optimizer = "sgd", dtype: Dtype = "fp32"
) -> MemoryEstimate:
    """The memory of one training step of ``architecture``, as ``train/loop.py`` makes it.

    ``sgd`` has momentum (muon needs as much); ``adam`` means adamw too. ``bf16`` is mixed precision:
    activations in bf16; weights, gradients and optimizer state in fp32.

    Raises:
        ArchitectureError: where the batch is empty, or too large for anything.
    """
    if batch < 1:
        raise ArchitectureError(f"a batch needs at least one image, {batch} given")
    if batch > MAX_BATCH:
        raise ArchitectureError(f"a batch has at most {MAX_BATCH:,} images here; give fewer")
    tensors = SavedTensors(architecture, ACTIVATION_BYTES[dtype])
    parameters = sum(row.parameters for row in tensors.rows)
    statistics = sum(2 * row.output[0] for row in tensors.rows if row.kind == "norm" and row.parameters)
    weights, state = FP32 * (parameters + statistics), FP32 * STATES[optimizer] * parameters
    decayed = sum(row.weights for row in tensors.rows if row.kind != "norm")
    step = Moment(
        name="optimizer step",
        fixed=weights + state + FP32 * (parameters + decayed),  # it copies the gradients that have decay
        per_image=FP32 * tensors.images.values,
    )
    return MemoryEstimate(
        batch=batch,
        optimizer=optimizer,
        dtype=dtype,
        weights=weights,
        gradients=FP32 * parameters,
        optimizer_state=state,
        layers=tuple(_layers(tensors, batch)),
        moments=(*_backward(tensors, weights + state), step),
    )


def _layers(tensors: SavedTensors, batch: int) -> list[LayerMemory]:
    maps: Counter[str] = Counter()
    extras: Counter[str] = Counter()
    copies: Counter[str] = Counter()
    for saved in {saved for operation in tensors.operations for saved in operation.saves}:
        maps[saved.layer] += batch * saved.size
    for operation in tensors.operations:
        extras[operation.layer] += batch * operation.extras + operation.statistics
        copies[operation.layer] += _copy(tensors, operation.weights)
    return [
        LayerMemory(name=name, maps=maps[name], extras=extras[name], weight_copy=copies[name])
        for name in ("input", *(row.name for row in tensors.rows), "loss")
    ]


def _copy(tensors: SavedTensors, weights: int) -> int:
    return tensors.width * weights if tensors.width != FP32 else 0


def _backward(tensors: SavedTensors, resident: int) -> list[Moment]:
    """The allocated bytes in the backward pass of each operation, in the order of the forward pass."""
    operations = tensors.operations
    # An operation frees its saved tensors after its backward; a tensor that two save, after the earlier one.
    saved_before: set[Activation] = set()
    per_image, fixed = [], []
    for operation in operations:
        new = set(operation.saves) - saved_before
        saved_before |= new
        per_image.append(operation.extras + sum(saved.size for saved in new))
        fixed.append(operation.statistics + _copy(tensors, operation.weights))
    gradients = list(accumulate(FP32 * operation.parameters for operation in reversed(operations)))[::-1]
    # The loop holds the images to the end; in fp32 they are the very tensor that the first layer saves.
    images = FP32 * tensors.images.values if tensors.width != FP32 else 0
    moments = []
    for operation, alive, state, gradient in zip(
        operations, accumulate(per_image), accumulate(fixed), gradients, strict=True
    ):
        flowing = operation.output.size + (0 if operation.input.layer == "input" else operation.input.size)
        # In bf16 the gradient is bf16 first, and replaces the layer's copy of its weights.
        layout = tensors.width * operation.weights if operation.layout_copies and tensors.width == FP32 else 0
        moments.append(
            Moment(
                name=f"backward of {operation.layer}",
                fixed=resident + state + gradient + layout,
                per_image=images + alive + flowing + operation.layout_copies + operation.shortcut_gradient,
            )
        )
    return moments
