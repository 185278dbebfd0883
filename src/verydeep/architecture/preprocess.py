"""The preprocessing of images: the fit to a square, and normalization. It is saved in the checkpoint."""

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeGuard, get_args

from verydeep.errors import ArchitectureError

Order = Literal["rgb", "bgr"]
Fit = Literal["crop", "pad", "squash"]
"""How an image of any shape becomes square."""

MIN_VALUE, MAX_VALUE = 1e-7, 1e7
"""The range of std and scale, and the largest mean. Outside it, fp32 overflows or loses the image."""


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """The same preprocessing for training, evaluation, prediction and export.

    An image is resized (bilinear, antialiased) to ``size`` by ``size`` px as ``fit`` says, and each channel
    becomes ``(value - mean) / std``, where ``value`` runs from 0 (black) to ``scale`` (white).

    Raises:
        ArchitectureError: where a value has the wrong type, the wrong length or is out of range.
    """

    size: int
    """Side of the square network input, in px."""
    channels: int = 3
    """1 for gray, 3 for color; files are converted to it."""
    mean: tuple[float, ...]
    """Mean of each channel, with ``order`` and ``scale``."""
    std: tuple[float, ...]
    """Standard deviation of each channel, with ``order`` and ``scale``."""
    resize: int | None = None
    """Short side before the center crop, in px; None means ``size``: a square image is not cropped. The other
    fits have no crop, and no ``resize``."""
    order: Order = "rgb"
    """Order of the channels; networks from Caffe need "bgr"."""
    scale: float = 1.0
    """The value of white before mean and std: 1 as in torchvision, 255 as in Caffe."""
    fit: Fit = "crop"
    """crop resizes the short side and cuts off what is outside the center square; pad resizes the long side
    and fills the rest with ``padding``; squash resizes both sides, and loses the aspect ratio."""

    def __post_init__(self) -> None:
        if self.size < 1 or self.short_side < self.size:
            raise ArchitectureError(
                f"size is {self.size} px and resize {self.resize}; "
                "expected a size of at least 1, and a resize that is absent or at least the size"
            )
        if self.channels not in (1, 3):
            raise ArchitectureError(f"channels is {self.channels}; expected 1 for gray or 3 for color")
        if self.order not in get_args(Order) or (self.order == "bgr" and self.channels != 3):
            raise ArchitectureError(
                f"order is {self.order!r} with channels = {self.channels}; "
                'expected "rgb", or "bgr" with 3 channels'
            )
        if self.fit not in get_args(Fit) or (self.fit != "crop" and self.resize is not None):
            raise ArchitectureError(
                f"fit is {self.fit!r} with resize = {self.resize}; "
                'expected "crop", or "pad" or "squash", which crop nothing, without a resize'
            )
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels:
                raise ArchitectureError(
                    f"{name} has {len(values)} numbers; expected {self.channels}, one per channel"
                )
        if not all(map(math.isfinite, (*self.mean, *self.std, self.scale))):
            raise ArchitectureError(f"mean {self.mean}, std {self.std} and scale {self.scale} must be finite")
        if max(map(abs, (*self.mean, *self.std, self.scale))) > MAX_VALUE:
            raise ArchitectureError(
                f"mean {self.mean}, std {self.std} and scale {self.scale} must be at most {MAX_VALUE:,.0f}: "
                "images have values from 0 to the scale"
            )
        if min(self.scale, *self.std) < MIN_VALUE:
            raise ArchitectureError(
                f"std is {self.std} and scale {self.scale}; expected numbers above zero: "
                f"at least {MIN_VALUE:g}"
            )

    @property
    def short_side(self) -> int:
        """Short side of the resized image before the center crop, in px."""
        return self.size if self.resize is None else self.resize

    @property
    def padding(self) -> tuple[int, ...]:
        """The color around an image with the fit pad, 0 to 255 in gray or RGB order: the mean.

        Normalized it is zero, but for the rounding to 8 bits: at most half a gray level.
        """
        mean = self.mean[::-1] if self.order == "bgr" else self.mean
        return tuple(min(255, max(0, round(255 * value / self.scale))) for value in mean)

    def inner_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height in px of an image inside its padding: the long side is ``size``."""
        inner_width, inner_height = (
            max(1, round(self.size * side / max(width, height))) for side in (width, height)
        )
        return inner_width, inner_height

    def with_fit(self, fit: Fit) -> "Preprocess":
        """The same preprocessing with another fit; without a margin around a crop where nothing is cropped.

        Raises:
            ArchitectureError: where there is no such fit.
        """
        return replace(self, fit=fit, resize=self.resize if fit == "crop" else None)

    def for_input(self, channels: int, size: int) -> "Preprocess":
        """The same preprocessing for another image size, or for gray images instead of color.

        ``resize`` keeps its proportion to ``size``. For gray images, mean and std are averaged over the
        colors, which matches a first convolution whose weights were summed over the colors.

        Raises:
            ArchitectureError: where gray should become color, or a value is out of range.
        """
        resize = None if self.resize is None else round(self.resize * size / self.size)
        changed = replace(self, size=size, resize=resize)
        if channels == self.channels:
            return changed
        if channels != 1:
            raise ArchitectureError(
                f"preprocessing for {self.channels} channels has no mean and std for {channels}"
            )
        mean, std = (sum(values) / len(values) for values in (self.mean, self.std))
        return replace(changed, channels=1, mean=(mean,), std=(std,), order="rgb")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON or TOML; ``from_dict`` is the inverse.

        The fit "crop" is left out: checkpoints and caches without any other keep their bytes.
        """
        values = asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
        if self.fit == "crop":
            del values["fit"]
        return {name: value for name, value in values.items() if value is not None}  # TOML has no null

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocess":
        """The preprocessing from the values of ``to_dict``.

        Raises:
            ArchitectureError: where a key is unknown or missing, or a value is out of range.
        """
        known = {field.name for field in fields(cls)}
        required = {"size", "mean", "std"}
        if unknown := sorted(values.keys() - known):
            raise ArchitectureError(
                f"preprocessing has the unknown keys {unknown}; the known keys are {sorted(known)}"
            )
        if missing := sorted(required - values.keys()):
            raise ArchitectureError(
                f"preprocessing has the missing keys {missing}; it needs at least {sorted(required)}"
            )
        return cls(**{name: _read(name, value) for name, value in values.items()})


def _read(name: str, value: Any) -> Any:
    """``value`` with the type of the field ``name``: JSON and TOML have no tuple, and may write 1.0 as 1."""
    if name in ("mean", "std") and isinstance(value, list | tuple) and all(map(_is_number, value)):
        return tuple(float(number) for number in value)
    if name == "scale" and _is_number(value):
        return float(value)
    if (name == "order" and value in get_args(Order)) or (name == "fit" and value in get_args(Fit)):
        return value
    if name in ("size", "channels", "resize") and isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ArchitectureError(f"{name} is {value!r}; expected {_EXPECTED[name]}")


def _is_number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool):
        return False
    # JSON may have integers of any length.
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= sys.float_info.max)


_EXPECTED = {
    "size": "a whole number of px",
    "channels": "1 for gray or 3 for color",
    "mean": "a list of numbers, one per channel",
    "std": "a list of numbers, one per channel",
    "resize": "a whole number of px, or no key",
    "order": '"rgb" or "bgr"',
    "scale": "a number",
    "fit": '"crop", "pad" or "squash"',
}


IMAGENET = Preprocess(size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), resize=256)
"""The preprocessing of torchvision's weights (ImageNet mean and std)."""

CAFFE = Preprocess(
    size=224, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0), resize=256, order="bgr", scale=255.0
)
"""The preprocessing of the weights that Simonyan and Zisserman released (ImageNet mean, BGR)."""

CAFFE_RGB = Preprocess(
    size=224, mean=(0.48235, 0.45882, 0.40784), std=(1 / 255,) * 3, resize=256, order="rgb"
)
"""The same weights with their first convolution converted to RGB: torchvision's ``IMAGENET1K_FEATURES``."""
