"""The modules of a network in the order in which they run, with the layer names of the papers.

conv3_3  the convolution, before norm and ReLU     conv2_1_1  the first convolution of the block ``conv2_1``
bn3_3    after the batch norm of ``conv3_3``       add2_1     sum of body and shortcut, before the ReLU
relu3_3  after its ReLU                            conv2_1    the output of the block
pool3    after the pool of the third stage         norm1      after local response normalization
fc6      a hidden layer; ``relu6``, ``drop6``      avgpool7   the pooled input of the head; ``gap`` in ResNet
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from verydeep.architecture.layer_names import derived_name, fc_names, grid_name, layer_names
from verydeep.architecture.layer_names import last_map_name as last_map_of
from verydeep.models.blocks import Maps, ResidualBlock
from verydeep.models.classifier import Classifier

IMAGES = "images"
"""The name of the network's input."""


@dataclass(frozen=True)
class FeatureStep:
    """A module, the name of its output and the names of its inputs."""

    name: str
    module: nn.Module
    inputs: tuple[str, ...]
    layer_index: int
    """The index of its layer in the architecture; for the head, that of the last layer."""


def feature_names(model: Classifier) -> tuple[str, ...]:
    """All names that ``taps`` accepts for ``model``, in the order in which the layers run."""
    return tuple(step.name for step in feature_steps(model))


def last_map_name(model: Classifier) -> str:
    """The name of the last feature map, which the head pools: ``pool5`` in VGG."""
    return last_map_of(model.architecture)


def last_unpooled_name(model: Classifier) -> str:
    """The name of the last feature map before a final max pool: ``relu5_3`` in VGG; else the last map.

    Papers on heat maps call it the last convolutional layer: its resolution is twice that of the pool.
    """
    steps = {step.name: step for step in feature_steps(model)}
    last = steps[last_map_name(model)]
    before = steps.get(last.inputs[0])
    if before and isinstance(last.module, nn.MaxPool2d) and not isinstance(before.module, nn.Conv2d):
        return before.name
    return last.name


def feature_steps(model: Classifier) -> Iterator[FeatureStep]:
    """All modules of the network, in the order in which they run."""
    last, index = IMAGES, 0
    for name, module, index in _named_features(model):
        if isinstance(module, ResidualBlock):
            yield from _block_steps(name, module, last, index)
        else:
            yield FeatureStep(name, module, (last,), index)
        last = name
    for name, module in _named_head(model):
        yield FeatureStep(name, module, (last,), index)
        last = name


def _named_features(model: Classifier) -> Iterator[tuple[str, nn.Module, int]]:
    """Each module with its name and the index of its layer."""
    layers = enumerate(layer_names(model.architecture))
    index, conv = 0, ""
    for module in model.feature_modules():
        if isinstance(module, nn.BatchNorm2d):
            yield derived_name(conv, "bn"), module, index
        elif isinstance(module, nn.ReLU):
            yield derived_name(conv, "relu"), module, index
        else:
            index, name = next(layers)
            conv = name if isinstance(module, nn.Conv2d) else conv
            yield name, module, index


def _block_steps(
    block_name: str, block: ResidualBlock, block_input: str, index: int
) -> Iterator[FeatureStep]:
    """The body, the projection if there is one, their sum, and the ReLU, which has the name of the block."""
    body, number = block_input, 0
    for child in block.body:
        kind = child.rstrip("0123456789")  # conv, bn or relu
        number += kind == "conv"
        name = derived_name(f"{block_name}_{number}", kind)
        yield FeatureStep(name, block.get_submodule(child), (body,), index)
        body = name
    shortcut = block_input
    for kind, module in zip(("conv", "bn"), block.downsample or (), strict=False):
        name = derived_name(f"{block_name}_project", kind)
        yield FeatureStep(name, module, (shortcut,), index)
        shortcut = name
    total = derived_name(block_name, "add")
    yield FeatureStep(total, _Sum(), (body, shortcut), index)
    yield FeatureStep(block_name, block.relu, (total,), index)


class _Sum(nn.Module):
    def forward(self, maps: Maps, shortcut: Maps) -> Maps:
        return maps + shortcut


def _named_head(model: Classifier) -> Iterator[tuple[str, nn.Module]]:
    """The pool, then the modules of the head; the first of them flattens its input."""
    yield grid_name(model.architecture), model.pool
    next_layers = list(fc_names(model.architecture))
    layer = next_layers[0]
    for number, module in enumerate(model.head_modules()):
        if isinstance(module, nn.Linear):
            kind, layer = "fc", next_layers.pop(0)
        else:
            kind = "relu" if isinstance(module, nn.ReLU) else "drop"
        owner = next_layers[0] if kind == "drop" and model.architecture.dropout_first else layer
        yield derived_name(owner, kind), module if number else nn.Sequential(nn.Flatten(), module)
