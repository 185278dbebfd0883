"""The PyTorch modules of one layer: convolution with norm and ReLU, pools, and the residual block."""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor, nn

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Conv, Layer, LocalNorm, MaxPool, Residual, Shape
from verydeep.models.local_norm import LocalResponseNorm

Images = Float[Tensor, "batch channels height width"]
Maps = Float[Tensor, "batch maps rows columns"]


def layer_modules(architecture: Architecture, layer: Layer, shape: Shape) -> Iterator[nn.Module]:
    """The modules of ``layer`` for an input of ``shape``, in the order in which they run."""
    match layer:
        case Conv():
            yield from conv_modules(architecture, layer, shape[0])
            yield nn.ReLU(inplace=True)
        case MaxPool():
            yield nn.MaxPool2d(layer.kernel, layer.stride, layer.padding)
        case LocalNorm():
            yield LocalResponseNorm()
        case Residual():
            yield ResidualBlock(architecture, layer, shape)


def conv_modules(architecture: Architecture, conv: Conv, in_channels: int) -> Iterator[nn.Module]:
    """The convolution, and its batch norm if the architecture has it."""
    yield nn.Conv2d(
        in_channels,
        conv.channels,
        conv.kernel,
        conv.stride,
        conv.padding,
        groups=conv.groups,
        bias=architecture.conv_bias,
    )
    if architecture.norm != "none":
        yield nn.BatchNorm2d(conv.channels)


class ResidualBlock(nn.Module):
    """relu(F(x) + x), or relu(F(x) + Wx) where shapes differ (He et al. 2015, eq. 1 and 2).

    Parameters have torchvision's names: ``conv1``, ``bn1``, ..., ``downsample.0``, ``downsample.1``.
    """

    def __init__(self, architecture: Architecture, block: Residual, shape: Shape) -> None:
        super().__init__()
        self.body: list[str] = []
        """The names of the modules of F, in order, with a ReLU between convolutions."""
        channels = shape[0]
        for number, conv in enumerate(block.convs, start=1):
            for kind, module in zip(("conv", "bn"), conv_modules(architecture, conv, channels), strict=False):
                self.add_module(f"{kind}{number}", module)
                self.body.append(f"{kind}{number}")
            if number < len(block.convs):
                self.body.append("relu")
            channels = conv.channels
        self.relu = nn.ReLU(inplace=True)
        projection = block.projection(shape)
        self.downsample = (
            nn.Sequential(*conv_modules(architecture, projection, shape[0])) if projection else None
        )

    def forward(self, images: Images) -> Maps:
        """The output of the block."""
        maps = images
        for name in self.body:
            maps = self.get_submodule(name)(maps)
        shortcut = images if self.downsample is None else self.downsample(images)
        summed: Tensor = self.relu(maps + shortcut)
        return summed
