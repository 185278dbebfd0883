"""An architecture: layers and head, with what a line of text leaves open (norm, classes, input)."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

from verydeep.architecture.grammar import format_architecture, parse_architecture
from verydeep.architecture.layers import Conv, Head, Layer, MaxPool, Shape
from verydeep.errors import ArchitectureError, ShapeError

Norm = Literal["none", "batch", "batch-after-pool"]

LARGEST_SIDE = 4_096
"""Where the search for the least size ends; no published network needs a hundredth of it."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What a network is, whole: from this alone it is counted, built and saved.

    Raises:
        ArchitectureError: on a value that no network can have.
        ShapeError: where the layers do not fit the input, with the least size that would do.
    """

    name: str
    layers: tuple[Layer, ...]
    head: Head
    norm: Norm = "none"
    """``batch`` puts a batch norm after every convolution (Ioffe and Szegedy 2015); ``batch-after-pool``
    puts it, and the ReLU, after the pool that follows a convolution, where one does: on a quarter of the
    values, and of those that count (the order of Jordan 2024, arXiv 2404.00498)."""
    conv_bias: bool = True
    """VGG's convolutions have a bias even before a batch norm; ResNet's have none."""
    dropout: float = 0.5
    """Probability of each hidden unit of the head to be left out in training."""
    dropout_first: bool = False
    """Dropout before each hidden layer, as torchvision's AlexNet has it; the papers have it after."""
    classes: int = 1000
    input: Shape = (3, 224, 224)
    """Channels, height and width of an image."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What was changed to fit images or classes, in words for the user."""

    def __post_init__(self) -> None:
        if self.classes < 1:
            raise ArchitectureError(f"a classifier needs at least one class, {self.classes} given")
        if min(self.input) < 1:
            raise ArchitectureError(f"channels, height and width must be at least 1, {self.input} given")
        if not 0 <= self.dropout < 1:
            raise ArchitectureError(f"dropout is a probability from 0 to below 1, {self.dropout} given")
        self._last_map()

    @classmethod
    def from_string(cls, string: str, name: str | None = None, **settings: Any) -> "Architecture":
        """The architecture that ``line`` writes; ``settings`` are the other fields.

        Raises:
            ArchitectureError: naming the token that cannot be read.
        """
        layers, head = parse_architecture(string)
        return cls(name=name or format_architecture(layers, head), layers=layers, head=head, **settings)

    @property
    def string(self) -> str:
        """The network as one line of text."""
        return format_architecture(self.layers, self.head)

    @property
    def norms_after_pool(self) -> frozenset[int]:
        """The places in ``layers`` of the pools that the norm of the convolution before them follows."""
        if self.norm != "batch-after-pool":
            return frozenset()
        return frozenset(
            place
            for place, (before, layer) in enumerate(pairwise(self.layers), start=1)
            if isinstance(before, Conv) and isinstance(layer, MaxPool)
        )

    @property
    def map_shape(self) -> Shape:
        """The shape of the last map, which the head pools."""
        return self._last_map()

    def _last_map(self) -> Shape:
        """The shape after all layers; refuses an input that they cannot take."""
        try:
            return _walk(self.layers, self.input)
        except ShapeError as error:
            raise self._does_not_fit(error) from None

    def with_classes(self, classes: int) -> "Architecture":
        """The same network for another number of classes."""
        return replace(self, classes=classes)

    def with_batch_norm(self) -> "Architecture":
        """The same network with a batch norm after every convolution, named ``..._bn`` if it had none."""
        return self if self.norm != "none" else self.with_norm("batch")

    def with_norm(self, norm: Norm) -> "Architecture":
        """The same network with that norm; without one, every convolution has a bias."""
        named = "|" not in self.name
        if norm == "none":
            return replace(self, norm=norm, conv_bias=True, name=self.name.removesuffix("_bn"))
        suffix = "_bn" if named and self.norm == "none" else ""
        return replace(self, norm=norm, name=self.name + suffix)

    def with_input(self, channels: int, size: int | tuple[int, int]) -> "Architecture":
        """The same layers for other images, with a head that fits them.

        A head that would pool to a grid larger than the last map (and so copy its values) pools to the
        map's own size instead; where one value a channel is left, that is ``gap``, and the hidden
        layers, made for 25,088 values, go. ``notes`` says so.

        Raises:
            ShapeError: where the images are too small for the layers, with the least size that would do.
        """
        height, width = (size, size) if isinstance(size, int) else size
        changed = replace(self, input=(channels, height, width))
        side = min(changed.map_shape[1:])
        if side >= self.head.grid:
            return changed
        head = Head() if side == 1 else Head(side, self.head.hidden)
        changed = replace(changed, head=head)
        note = (
            f"{height} x {width} images leave a map of {side} x {side}: the head is "
            f"`{changed.string.split('| ')[1]}` in place of `{self.string.split('| ')[1]}`"
        )
        return replace(changed, notes=(*self.notes, note))

    def _does_not_fit(self, error: ShapeError) -> ShapeError:
        channels, height, width = self.input
        for side in range(min(height, width) + 1, LARGEST_SIDE):
            try:
                _walk(self.layers, (channels, side, side))
            except ShapeError:
                continue
            return ShapeError(
                f"images are {height} x {width}; {self.name} needs at least {side} px a side. "
                "Resize them first, or take a network of fewer pools, such as vgg-tiny"
            )
        return ShapeError(f"{self.name} takes no {channels}-channel images of any size: {error}")


def _walk(layers: tuple[Layer, ...], shape: Shape) -> Shape:
    for layer in layers:
        shape = layer.output(shape)
    return shape
