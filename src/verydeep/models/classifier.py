"""The PyTorch network: ``features`` computes feature maps, ``pool`` a grid of them, ``head`` the logits.

Parameters have torchvision's names, so that published weights load without a key map: ``features.N`` and
``classifier.N`` for VGG, AlexNet and other architectures; ``conv1``, ``layer1`` to ``layer4`` and ``fc``
for the form of ResNet, a stem followed by residual blocks only.
"""

from collections.abc import Callable, Iterator, Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Conv, MaxPool, Residual, Shape
from verydeep.errors import ShapeError
from verydeep.models.blocks import Images, Maps, conv_modules, layer_modules


class Classifier(nn.Module):
    """The interface of every network, independent of the names of its parameters."""

    features: Callable[[Tensor], Tensor]
    """From images to the last feature maps."""
    head: Callable[[Tensor], Tensor]
    """From pooled, flattened maps to logits."""
    body: Sequence[str]
    """The names of the child modules that compute the feature maps, in order."""
    last: str
    """The name of the child module that computes the logits."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.pool = GridPool(architecture.head.grid)

    def forward(self, images: Images) -> Float[Tensor, "batch classes"]:
        """Logits; apply softmax to get probabilities.

        Raises:
            ShapeError: where the images have another number of channels than the network.
        """
        check_channels(self.architecture, images)
        return self.head(self.pool(self.features(images)).flatten(1))

    def feature_modules(self) -> Iterator[nn.Module]:
        """The modules that compute the feature maps, in order; a residual block is one module."""
        for name in self.body:
            yield from _flat(self.get_submodule(name))

    def head_modules(self) -> Iterator[nn.Module]:
        """The modules after the pool, in order."""
        yield from _flat(self.get_submodule(self.last))


def _flat(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Sequential):
        yield from module
    else:
        yield module


def check_channels(architecture: Architecture, images: Images) -> None:
    """Raise ShapeError where ``images`` have another number of channels than the network."""
    channels = architecture.input[0]
    if images.shape[1] != channels:
        raise ShapeError(
            f"images have {images.shape[1]} channels; {architecture.name} was built for {channels}. "
            f"Convert the images, or build the network with_input({images.shape[1]}, size)"
        )


class GridPool(nn.Module):
    """Average pool to ``grid`` x ``grid``; maps of that size are returned unchanged.

    Adaptive pooling of a map to its own size changes nothing, and its backward pass takes 4 % of a small
    network's training step on a CPU.
    """

    def __init__(self, grid: int) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, maps: Maps) -> Float[Tensor, "batch maps grid grid"]:
        """The pooled maps."""
        if maps.shape[2:] == (self.grid, self.grid):
            return maps
        return functional.adaptive_avg_pool2d(maps, self.grid)


class PlainClassifier(Classifier):
    """Sequential layers, named as in torchvision's VGG and AlexNet: ``features.N``, ``classifier.N``."""

    body = ("features",)
    last = "classifier"

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.features = nn.Sequential(*_feature_modules(architecture))
        self.classifier = nn.Sequential(*_head_modules(architecture))

    def head(self, values: Float[Tensor, "batch values"]) -> Float[Tensor, "batch classes"]:
        """From pooled, flattened maps to logits."""
        logits: Tensor = self.classifier(values)
        return logits


class StagedClassifier(Classifier):
    """A stem and stages, named as in torchvision's ResNet: ``conv1``, ``layer1.0.conv1``, ``fc``."""

    last = "fc"

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        children = dict(_staged_modules(architecture))
        self.body = tuple(children)
        for name, module in children.items():
            self.add_module(name, module)
        (self.fc,) = _head_modules(architecture)

    def features(self, images: Images) -> Maps:
        """From images to the last feature maps."""
        maps = images
        for name in self.body:
            maps = self.get_submodule(name)(maps)
        return maps

    def head(self, values: Float[Tensor, "batch values"]) -> Float[Tensor, "batch classes"]:
        """From pooled, flattened maps to logits."""
        logits: Tensor = self.fc(values)
        return logits


def has_resnet_form(architecture: Architecture) -> bool:
    """Whether it is a stem convolution, at most one pool, then only residual blocks, and no hidden layer."""
    match architecture.layers:
        case (Conv(), MaxPool(), *blocks) | (Conv(), *blocks):
            only_blocks = bool(blocks) and all(isinstance(block, Residual) for block in blocks)
            return only_blocks and not architecture.head.hidden
    return False


def _feature_modules(architecture: Architecture) -> Iterator[nn.Module]:
    shape = architecture.input
    norms_after_pool = architecture.norms_after_pool
    delayed: list[nn.Module] = []
    for index, layer in enumerate(architecture.layers):
        modules = list(layer_modules(architecture, layer, shape))
        if index + 1 in norms_after_pool:
            modules, delayed = modules[:1], modules[1:]
        elif index in norms_after_pool:
            modules += delayed
        yield from modules
        shape = layer.output(shape)


def _staged_modules(architecture: Architecture) -> Iterator[tuple[str, nn.Module]]:
    """The child modules of a ResNet by name; a stage starts at the first block and at each stride of 2."""
    shape: Shape = architecture.input
    stages: list[list[nn.Module]] = []
    for layer in architecture.layers:
        match layer:
            case Conv():
                yield from zip(("conv1", "bn1"), conv_modules(architecture, layer, shape[0]), strict=False)
                yield "relu", nn.ReLU(inplace=True)
            case MaxPool():
                yield "maxpool", nn.MaxPool2d(layer.kernel, layer.stride, layer.padding)
            case Residual():
                if not stages or layer.stride > 1:
                    stages.append([])
                stages[-1] += layer_modules(architecture, layer, shape)
        shape = layer.output(shape)
    for number, blocks in enumerate(stages, start=1):
        yield f"layer{number}", nn.Sequential(*blocks)


def _head_modules(architecture: Architecture) -> Iterator[nn.Module]:
    """Hidden layers with ReLU and dropout, then the classes."""
    inputs = architecture.map_shape[0] * architecture.head.grid**2
    for units in architecture.head.hidden:
        if architecture.dropout_first:
            yield nn.Dropout(architecture.dropout)
        yield nn.Linear(inputs, units)
        yield nn.ReLU(inplace=True)
        if not architecture.dropout_first:
            yield nn.Dropout(architecture.dropout)
        inputs = units
    yield nn.Linear(inputs, architecture.classes)
