"""The layers of a network as frozen records, and the output shape of each.

A shape is ``(channels, height, width)``. Batch norm, ReLU and dropout have no records: they follow from the
settings of the architecture (``architecture.py``), as in the papers' tables.
"""

from dataclasses import dataclass

from verydeep.errors import ArchitectureError, ShapeError

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution with a square kernel; batch norm follows if the architecture has it, then ReLU."""

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    """Pixels on each side. The default of the architecture string is ``kernel // 2``."""
    groups: int = 1

    def __post_init__(self) -> None:
        _require_positive(self, "channels", "kernel", "stride", "groups")
        if self.channels % self.groups:
            raise ArchitectureError(
                f"a convolution of {self.channels} channels cannot be divided into {self.groups} equal groups"
            )

    def output(self, shape: Shape) -> Shape:
        """The output shape.

        Raises:
            ShapeError: where the map is too small or its channels do not divide into the groups.
        """
        if shape[0] % self.groups:
            raise ShapeError(f"{shape[0]} channels cannot be divided into the {self.groups} groups of {self}")
        return self.channels, *_window_output(shape, self)


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Max pooling over square windows; they overlap where the stride is smaller than the kernel."""

    kernel: int = 2
    stride: int = 2
    padding: int = 0

    def __post_init__(self) -> None:
        _require_positive(self, "kernel", "stride")
        if self.padding > self.kernel // 2:
            raise ArchitectureError(
                f"a pool with kernel {self.kernel} accepts a padding of at most {self.kernel // 2}"
            )

    def output(self, shape: Shape) -> Shape:
        """The output shape; ShapeError where the map is too small."""
        return shape[0], *_window_output(shape, self)


@dataclass(frozen=True, slots=True)
class LocalNorm:
    """Local response normalization with n 5, k 2, alpha 1e-4, beta 0.75 (Krizhevsky 2012, section 3.3)."""

    def output(self, shape: Shape) -> Shape:
        """The output shape: that of the input."""
        return shape


@dataclass(frozen=True, slots=True)
class Residual:
    """Convolutions whose input is added to their output before the last ReLU (He 2015, eq. 1 and 2)."""

    convs: tuple[Conv, ...]

    def __post_init__(self) -> None:
        if not self.convs:
            raise ArchitectureError("a residual block needs at least one convolution between its brackets")

    @property
    def stride(self) -> int:
        """The product of the strides of its convolutions."""
        stride = 1
        for conv in self.convs:
            stride *= conv.stride
        return stride

    def projection(self, shape: Shape) -> Conv | None:
        """The 1x1 convolution of the shortcut where shapes differ (option B); None where they are equal."""
        channels = self.convs[-1].channels
        if self.stride == 1 and channels == shape[0]:
            return None
        return Conv(channels, kernel=1, stride=self.stride, padding=0)

    def output(self, shape: Shape) -> Shape:
        """The output shape.

        Raises:
            ShapeError: where body and shortcut have different output shapes, so that they cannot be added.
        """
        projection = self.projection(shape)
        shortcut = projection.output(shape) if projection else shape
        for conv in self.convs:
            shape = conv.output(shape)
        if shape != shortcut:
            raise ShapeError(
                f"a residual block cannot add its input {shortcut} to its output {shape}: "
                "its convolutions must keep the size (padding = kernel // 2)"
            )
        return shape


Layer = Conv | MaxPool | LocalNorm | Residual


@dataclass(frozen=True, slots=True)
class Head:
    """The classifier head: average pool to ``grid`` x ``grid``, hidden layers, then the classes."""

    grid: int = 1
    """1 is the global average pool, ``gap``."""
    hidden: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _require_positive(self, "grid")
        if any(width < 1 for width in self.hidden):
            raise ArchitectureError(f"hidden layers need at least one unit each, {self.hidden} given")


def _window_output(shape: Shape, window: Conv | MaxPool) -> tuple[int, int]:
    """Height and width after a sliding window, rounded down."""
    height, width = ((side + 2 * window.padding - window.kernel) // window.stride + 1 for side in shape[1:])
    if height < 1 or width < 1:
        raise ShapeError(f"a map of {shape[1]} x {shape[2]} is too small for {window}")
    return height, width


def _require_positive(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        if value < 1:
            raise ArchitectureError(f"{name} must be at least 1, {value} given")
