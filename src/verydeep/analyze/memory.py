"""What training needs in memory, from the spec, without torch: what is kept, and the most at one moment."""

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate

from verydeep.analyze.dtypes import FP32, STATES, WIDTH, Dtype, Optimizer
from verydeep.analyze.saved_tensors import Map, Tape
from verydeep.architecture.architecture import Architecture
from verydeep.errors import ArchitectureError


@dataclass(frozen=True, kw_only=True)
class LayerMemory:
    """What is kept of one layer until the backward pass has come back to it, in bytes."""

    name: str
    """As in the trace; ``input`` before the first layer and ``loss`` after the last."""
    maps: int
    """What it put out, for the whole batch, where anything needs it again."""
    extras: int
    """What it remembers besides, for the whole batch: places of maxima, statistics, dropout."""
    weight_copy: int
    """Its weights in bf16."""

    @property
    def kept(self) -> int:
        """All of it."""
        return self.maps + self.extras + self.weight_copy


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One moment of a training step, and the bytes held then."""

    name: str
    fixed: int
    """Whatever the batch."""
    an_image: int

    def bytes(self, batch: int) -> int:
        """What is held with ``batch`` images."""
        return self.fixed + batch * self.an_image


@dataclass(frozen=True, kw_only=True)
class Forecast:
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
    """The backward pass, one moment an operation, and the optimizer's step."""

    @property
    def kept(self) -> tuple[int, ...]:
        """What is kept of the input, of each layer and of the loss."""
        return tuple(layer.kept for layer in self.layers)

    @property
    def activations(self) -> int:
        """Kept from the forward pass for the backward one, for the whole batch, besides weights."""
        return sum(layer.maps + layer.extras for layer in self.layers)

    @property
    def weight_copies(self) -> int:
        """Weights in bf16, kept from the forward pass for the backward one; none in fp32."""
        return sum(layer.weight_copy for layer in self.layers)

    @property
    def total(self) -> int:
        """The sum of the five, as if all were there at once."""
        return self.weights + self.gradients + self.optimizer_state + self.activations + self.weight_copies

    @property
    def peak(self) -> Moment:
        """The moment that holds most: gradients come as activations go, and a step needs scratch space."""
        return max(self.moments, key=lambda moment: moment.bytes(self.batch))

    def largest_batch(self, memory: int) -> int:
        """The most images whose step fits in ``memory`` bytes; 0 where not one does."""
        return max(0, min((memory - moment.fixed) // moment.an_image for moment in self.moments))


def forecast(
    architecture: Architecture, batch: int = 32, optimizer: Optimizer = "sgd", dtype: Dtype = "fp32"
) -> Forecast:
    """The memory of a training step of ``architecture`` as ``train/loop.py`` makes it.

    ``sgd`` has momentum (muon needs as much), ``adam`` is adamw too. ``bf16`` is mixed precision:
    activations in bf16; weights, gradients and optimizer in fp32.

    Raises:
        ArchitectureError: where the batch has no image.
    """
    if batch < 1:
        raise ArchitectureError(f"a batch has at least one image, {batch} given")
    tape = Tape(architecture, WIDTH[dtype])
    parameters = sum(row.parameters for row in tape.rows)
    statistics = sum(2 * row.output[0] for row in tape.rows if row.kind == "norm" and row.parameters)
    weights, state = FP32 * (parameters + statistics), FP32 * STATES[optimizer] * parameters
    decayed = sum(row.weights for row in tape.rows if row.kind != "norm")
    step = Moment(
        name="optimizer step",
        fixed=weights + state + FP32 * (parameters + decayed),  # it copies the gradients that it decays
        an_image=FP32 * tape.images.values,
    )
    return Forecast(
        batch=batch,
        optimizer=optimizer,
        dtype=dtype,
        weights=weights,
        gradients=FP32 * parameters,
        optimizer_state=state,
        layers=tuple(_layers(tape, batch)),
        moments=(*_backward(tape, weights + state), step),
    )


def _layers(tape: Tape, batch: int) -> list[LayerMemory]:
    maps: Counter[str] = Counter()
    extras: Counter[str] = Counter()
    copies: Counter[str] = Counter()
    for kept in {kept for operation in tape.operations for kept in operation.keeps}:
        maps[kept.layer] += batch * kept.size
    for operation in tape.operations:
        extras[operation.layer] += batch * operation.extras + operation.statistics
        copies[operation.layer] += _copy(tape, operation.weights)
    return [
        LayerMemory(name=name, maps=maps[name], extras=extras[name], weight_copy=copies[name])
        for name in ("input", *(row.name for row in tape.rows), "loss")
    ]


def _copy(tape: Tape, weights: int) -> int:
    return tape.width * weights if tape.width != FP32 else 0


def _backward(tape: Tape, resident: int) -> list[Moment]:
    """What is held while each operation is gone through backwards, in the order of the forward pass."""
    operations = tape.operations
    # What an operation keeps is let go when it is done; a map that two keep, by the earlier one, done last.
    kept_before: set[Map] = set()
    an_image, fixed = [], []
    for operation in operations:
        new = set(operation.keeps) - kept_before
        kept_before |= new
        an_image.append(operation.extras + sum(kept.size for kept in new))
        fixed.append(operation.statistics + _copy(tape, operation.weights))
    gradients = list(accumulate(FP32 * operation.parameters for operation in reversed(operations)))[::-1]
    # The loop holds the images to the end; in fp32 they are the very tensor that the first layer keeps.
    images = FP32 * tape.images.values if tape.width != FP32 else 0
    moments = []
    for operation, alive, state, gradient in zip(
        operations, accumulate(an_image), accumulate(fixed), gradients, strict=True
    ):
        flowing = operation.given.size + (0 if operation.taken.layer == "input" else operation.taken.size)
        # In bf16 the gradient comes in bf16 first, and takes the place of the layer's copy of its weights.
        relaid = tape.width * operation.weights if operation.relaid and tape.width == FP32 else 0
        moments.append(
            Moment(
                name=f"backward of {operation.layer}",
                fixed=resident + state + gradient + relaid,
                an_image=images + alive + flowing + operation.relaid + operation.waiting,
            )
        )
    return moments
