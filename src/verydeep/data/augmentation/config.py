"""The settings of data augmentation."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from verydeep.errors import RecipeError

Flip = Literal["none", "random", "alternating"]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Data augmentation of training images, in this order; nothing by default."""

    flip: Flip = "none"
    """Horizontal flip: at random, or every other epoch ("alternating", Jordan 2024)."""
    crop: Annotated[float, Interval(gt=0, le=1)] = 1.0
    """Random resized crop: the least part of an image's area that a crop keeps; 1 is off."""
    scale_jitter: Annotated[float, Ge(0)] = 0.0
    """Scale jitter of VGG (section 3.1): a square of the input size is cut from an image of a random short
    side. The largest one as a multiple of the smallest, which is 8/7 of the input size: 2 there (256 to 512
    px); 0 is off."""
    color: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Color jitter: brightness, contrast and saturation each change by up to this part; 0 is off."""
    pca_color: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """PCA color shift of AlexNet (Krizhevsky et al. 2012, section 4.1): the standard deviation of the
    multiples of the principal components, 0.1 there; 0 is off."""
    trivial: bool = False
    """TrivialAugment: one of 14 operations at random, at a random strength (Mueller and Hutter 2021)."""
    shift: Annotated[int, Ge(0)] = 0
    """Random shift by up to this many px in each direction, with reflection padding; 0 is off."""
    cutout: Annotated[int, Ge(0)] = 0
    """Cutout: the side in px of a square in each image that is set to zero; 0 is off."""
    erasing: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Random erasing: the probability that a rectangle of an image becomes its mean color (Zhong et al.
    2020); 0 is off."""
    mixup: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Mixup: each image is averaged with another one, and so are their labels; the share is drawn from a Beta
    distribution with this alpha; 0 is off. With cutmix too, each batch takes one of them at random."""
    cutmix: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """CutMix: a rectangle of each image comes from another one, and its label by its area; alpha as in mixup;
    0 is off."""

    def __post_init__(self) -> None:
        if 0 < self.scale_jitter < 1:
            raise RecipeError(f"scale_jitter is {self.scale_jitter}; give 1 or more, such as 2, or 0")
        if self.scale_jitter and self.crop < 1:
            raise RecipeError(
                f"crop is {self.crop} and scale_jitter is {self.scale_jitter}: both cut the images; use one"
            )

    @property
    def mixes(self) -> bool:
        """Whether images of a batch are mixed with each other."""
        return self.mixup > 0 or self.cutmix > 0
