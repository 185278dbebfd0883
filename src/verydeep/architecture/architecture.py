"""An architecture: layers, head, and the settings that an architecture string leaves open."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

from verydeep.architecture.grammar import format_architecture, parse_architecture
from verydeep.architecture.layers import Conv, Head, Layer, MaxPool, Shape
from verydeep.errors import ArchitectureError, ShapeError

Norm = Literal["none", "batch", "batch-after-pool"]

MAX_SIDE = 4_096
"""Where the search for the smallest possible image ends; no published network needs a hundredth of it."""
MAX_NUMBER = 1_000_000_000
"""Of classes, and of channels and sides of images: products of larger numbers are soon beyond any format."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The complete description of a network: its cost, its modules and its checkpoint follow from it.

    Raises:
        ArchitectureError: where a value is out of range.
        ShapeError: where the images are too small for the layers, with the smallest size that fits.
    """

    name: str
    layers: tuple[Layer, ...]
    head: Head
    norm: Norm = "none"
    """``batch`` puts a batch norm after every convolution (Ioffe and Szegedy 2015); ``batch-after-pool``
    puts batch norm and ReLU after the max pool where a pool follows the convolution, so that they process a
    quarter of the values (the order of Jordan 2024, arXiv 2404.00498)."""
    conv_bias: bool = True
    """VGG's convolutions have a bias even before a batch norm; ResNet's have none."""
    dropout: float = 0.5
    """Probability that a hidden unit of the head is set to zero in training."""
    dropout_first: bool = False
    """Dropout before each hidden layer, as in torchvision's AlexNet; in the papers it comes after."""
    classes: int = 1000
    input: Shape = (3, 224, 224)
    """Channels, height and width of an image."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """Changes that were made to fit the images, as messages for the user."""

    def __post_init__(self) -> None:
        if self.classes < 1:
            raise ArchitectureError(f"a classifier needs at least one class, {self.classes} given")
        if min(self.input) < 1:
            raise ArchitectureError(f"channels, height and width must be at least 1, {self.input} given")
        if max(self.classes, *self.input) > MAX_NUMBER:
            raise ArchitectureError(
                f"classes, channels, height and width are at most {MAX_NUMBER:,} each; give a smaller number"
            )
        if not 0 <= self.dropout < 1:
            raise ArchitectureError(f"dropout must be at least 0 and below 1, {self.dropout} given")
        self._last_map()

    @classmethod
    def from_string(cls, string: str, name: str | None = None, **settings: Any) -> "Architecture":
        """The architecture of ``string``; ``settings`` are the other fields.

        Raises:
            ArchitectureError: naming the token that cannot be read.
        """
        layers, head = parse_architecture(string)
        return cls(name=name or format_architecture(layers, head), layers=layers, head=head, **settings)

    @property
    def string(self) -> str:
        """The architecture string: layers and head in one line."""
        return format_architecture(self.layers, self.head)

    @property
    def norms_after_pool(self) -> frozenset[int]:
        """The indices in ``layers`` of the pools after which the norm of the convolution before them runs."""
        if self.norm != "batch-after-pool":
            return frozenset()
        return frozenset(
            index
            for index, (before, layer) in enumerate(pairwise(self.layers), start=1)
            if isinstance(before, Conv) and isinstance(layer, MaxPool)
        )

    @property
    def map_shape(self) -> Shape:
        """The shape of the last feature map, which the head pools."""
        return self._last_map()

    def _last_map(self) -> Shape:
        """The shape after all layers; an error where the input is too small."""
        try:
            return _output_shape(self.layers, self.input)
        except ShapeError as error:
            raise self._too_small(error) from None

    def with_classes(self, classes: int) -> "Architecture":
        """The same network with ``classes`` outputs."""
        return replace(self, classes=classes)

    def with_batch_norm(self) -> "Architecture":
        """The same network with a batch norm after every convolution, named ``..._bn`` if it had no norm."""
        return self if self.norm != "none" else self.with_norm("batch")

    def with_norm(self, norm: Norm) -> "Architecture":
        """The same network with ``norm``; with "none", every convolution has a bias."""
        has_zoo_name = "|" not in self.name
        if norm == "none":
            return replace(self, norm=norm, conv_bias=True, name=self.name.removesuffix("_bn"))
        suffix = "_bn" if has_zoo_name and self.norm == "none" else ""
        return replace(self, norm=norm, name=self.name + suffix)

    def with_input(self, channels: int, size: int | tuple[int, int]) -> "Architecture":
        """The same layers for images of another size or number of channels, with a head that fits.

        A head whose grid is larger than the last feature map would copy values. It is changed to the size
        of the map; for a 1 x 1 map it becomes ``gap`` without hidden layers. ``notes`` has a message then.

        Raises:
            ShapeError: where the images are too small for the layers, with the smallest size that fits.
        """
        height, width = (size, size) if isinstance(size, int) else size
        changed = replace(self, input=(channels, height, width))
        side = min(changed.map_shape[1:])
        if side >= self.head.grid:
            return changed
        head = Head() if side == 1 else Head(side, self.head.hidden)
        changed = replace(changed, head=head)
        note = (
            f"{height} x {width} images give a last feature map of {side} x {side}: the head is "
            f"`{changed.string.split('| ')[1]}` instead of `{self.string.split('| ')[1]}`"
        )
        return replace(changed, notes=(*self.notes, note))

    def with_options(
        self,
        *,
        channels: int | None = None,
        size: int | None = None,
        classes: int | None = None,
        batch_norm: bool = False,
    ) -> "Architecture":
        """The same network with each given option changed; None keeps the network's own value.

        Raises:
            ArchitectureError: where a value is out of range.
            ShapeError: where the images are too small for the layers.
        """
        changed = self.with_batch_norm() if batch_norm else self
        if classes is not None:
            changed = changed.with_classes(classes)
        if size is None and channels is None:
            return changed
        own_channels, height, width = self.input
        return changed.with_input(
            own_channels if channels is None else channels, (height, width) if size is None else size
        )

    def _too_small(self, error: ShapeError) -> ShapeError:
        channels, height, width = self.input
        for side in range(min(height, width) + 1, MAX_SIDE):
            try:
                _output_shape(self.layers, (channels, side, side))
            except ShapeError:
                continue
            return ShapeError(
                f"images are {height} x {width}; {self.name} needs at least {side} x {side} px. "
                "Resize them first, or use a network with fewer pools, such as vgg-tiny"
            )
        return ShapeError(f"{self.name} does not accept {channels}-channel images of any size: {error}")


def _output_shape(layers: tuple[Layer, ...], shape: Shape) -> Shape:
    for layer in layers:
        shape = layer.output(shape)
    return shape
