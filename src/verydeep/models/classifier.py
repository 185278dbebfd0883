"""The network that runs: ``features`` gives maps, ``pool`` a grid of them, ``head`` the logits.

Parameters bear torchvision's names, so that published weights load as they are: ``features.N`` and
``classifier.N`` for VGG, AlexNet and every other line; ``conv1``, ``layer1`` to ``layer4`` and ``fc``
for a line of ResNet's form, a stem and then nothing but blocks.
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
    """What every network offers, whatever its parameters are called."""

    features: Callable[[Tensor], Tensor]
    """From images to the last maps."""
    head: Callable[[Tensor], Tensor]
    """From pooled, flattened maps to logits."""
    body: Sequence[str]
    """The names of the children that give the maps, in order."""
    last: str
    """The name of the child that gives the logits."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.pool = GridPool(architecture.head.grid)

    def forward(self, images: Images) -> Float[Tensor, "batch classes"]:
        """Logits; apply softmax where probabilities are asked for.

        Raises:
            ShapeError: where the images have another number of channels than the network.
        """
        check_channels(self.architecture, images)
        return self.head(self.pool(self.features(images)).flatten(1))

    def feature_modules(self) -> Iterator[nn.Module]:
        """The modules that give the maps, in the order in which they run; a residual block is one."""
        for name in self.body:
            yield from _flat(self.get_submodule(name))

    def head_modules(self) -> Iterator[nn.Module]:
        """The modules after the pool, in the order in which they run."""
        yield from _flat(self.get_submodule(self.last))


def _flat(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Sequential):
        yield from module
    else:
        yield module


def check_channels(architecture: Architecture, images: Images) -> None:
    """Refuse ``images`` with other channels than the network was built for, in words."""
    channels = architecture.input[0]
    if images.shape[1] != channels:
        raise ShapeError(
            f"images have {images.shape[1]} channels; {architecture.name} was built for {channels}. "
            f"Convert the images, or build the network with_input({images.shape[1]}, size)"
        )


class GridPool(nn.Module):
    """Average pool to ``grid`` x ``grid``; maps of that size pass through as they are.

    Adaptive pooling of a map to its own size changes nothing, and its backward costs 4 % of a small
    network's step on a CPU.
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
    """Layers in a row, named as torchvision's VGG and AlexNet: ``features.N``, ``classifier.N``."""

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
    """A stem and stages of blocks, named as torchvision's ResNet: ``conv1``, ``layer1.0.conv1``, ``fc``."""

    last = "fc"

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        children = dict(_staged_modules(architecture))
        self.body = tuple(children)
        for name, module in children.items():
            self.add_module(name, module)
        (self.fc,) = _head_modules(architecture)

    def features(self, images: Images) -> Maps:
        """From images to the last maps."""
        maps = images
        for name in self.body:
            maps = self.get_submodule(name)(maps)
        return maps

    def head(self, values: Float[Tensor, "batch values"]) -> Float[Tensor, "batch classes"]:
        """From pooled, flattened maps to logits."""
        logits: Tensor = self.fc(values)
        return logits


def has_resnet_form(architecture: Architecture) -> bool:
    """Whether the line is one stem convolution, at most one pool, then only blocks, and no hidden layer."""
    match architecture.layers:
        case (Conv(), MaxPool(), *blocks) | (Conv(), *blocks):
            only_blocks = bool(blocks) and all(isinstance(block, Residual) for block in blocks)
            return only_blocks and not architecture.head.hidden
    return False


def _feature_modules(architecture: Architecture) -> Iterator[nn.Module]:
    shape = architecture.input
    late = architecture.norms_after_pool
    waiting: list[nn.Module] = []
    for place, layer in enumerate(architecture.layers):
        modules = list(layer_modules(architecture, layer, shape))
        if place + 1 in late:
            modules, waiting = modules[:1], modules[1:]
        elif place in late:
            modules += waiting
        yield from modules
        shape = layer.output(shape)


def _staged_modules(architecture: Architecture) -> Iterator[tuple[str, nn.Module]]:
    """The children of a ResNet by name; a stage begins at the first block and at each stride."""
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
