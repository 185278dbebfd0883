"""Which widths of a network can be narrowed, and the architecture with other widths.

The outputs of a layer can be removed where one other layer alone takes them in, by way of ReLU, max pool and
average pool: all but the last layer of a plain network, and the inner convolutions of residual blocks, whose
outer widths are bound to each other by the shortcuts.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import nn

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.grammar import format_architecture
from verydeep.architecture.layers import Conv, Residual
from verydeep.compress.layer_inputs import MAX_INPUTS, weight_matrix, weighted_layer, weighted_layers
from verydeep.errors import CompressionError
from verydeep.models.classifier import Classifier, GridPool
from verydeep.models.feature_steps import FeatureStep, feature_steps

MULTIPLE = 16
"""Widths are multiples of it: 17, 33, 65 and 129 channels are a third slower than 16, 32, 64 and 128."""
LEAST = 8
"""No layer becomes narrower, or stays as it is if it is narrower already."""


@dataclass(frozen=True, kw_only=True)
class Width:
    """The outputs of one layer, which only one other layer takes in."""

    producer: str
    """The name of its module."""
    consumer: str
    """The name of the module of the other layer."""
    channels: int
    columns: int
    """Inputs of the consumer for each channel: the values under its kernel, or in the grid of the pool."""
    layer: int | None
    """The index in ``Architecture.layers``; None in the head."""
    number: int
    """Among the convolutions of its residual block, or the hidden layers of the head."""

    @property
    def choices(self) -> tuple[int, ...]:
        """All widths that it can have, from the narrowest on."""
        multiples = range(MULTIPLE, self.channels, MULTIPLE)
        least = (LEAST,) if self.channels > LEAST else ()
        return (*least, *multiples, self.channels)


def narrowable_widths(model: Classifier) -> tuple[Width, ...]:
    """All widths of ``model`` that can be narrowed, in the order in which the layers run.

    Raises:
        CompressionError: where there are none, or batch norms are not folded yet.
    """
    if any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
        raise CompressionError(
            f"{model.architecture.name} has batch norms, and narrow needs them folded (--steps "
            "fold,narrow), where that is exact"
        )
    widths = tuple(_widths(model))
    if not any(len(width.choices) > 1 for width in widths):
        raise CompressionError(
            f"{model.architecture.string!r} has no layer that can be narrowed: each has at most {LEAST} "
            "channels, or shortcuts or a normalization across channels bind its width to others"
        )
    return widths


def _widths(model: Classifier) -> list[Width]:
    steps = list(feature_steps(model))
    names = {layer: name for name, layer in weighted_layers(model).items()}
    taken_by: dict[str, list[FeatureStep]] = {}
    for step in steps:
        for name in step.inputs:
            taken_by.setdefault(name, []).append(step)
    widths: list[Width] = []
    layers_before: Counter[int | None] = Counter()
    for step in steps:
        layer, consumer = weighted_layer(step), _consumer(step, taken_by)
        if layer is None:
            continue
        index = None if isinstance(layer, nn.Linear) else step.layer_index
        number = layers_before[index]
        layers_before[index] += 1
        if consumer is None or weight_matrix(consumer).shape[1] > MAX_INPUTS:
            continue
        channels = weight_matrix(layer).shape[0]
        widths.append(
            Width(
                producer=names[layer],
                consumer=names[consumer],
                channels=channels,
                columns=weight_matrix(consumer).shape[1] // channels,
                layer=index,
                number=number,
            )
        )
    return widths


def _consumer(step: FeatureStep, taken_by: Mapping[str, list[FeatureStep]]) -> nn.Conv2d | nn.Linear | None:
    """The only layer that takes in the outputs of ``step``, channel by channel."""
    while len(takers := taken_by.get(step.name, [])) == 1:
        (step,) = takers
        if (layer := weighted_layer(step)) is not None:
            return layer
        module = step.module[-1] if isinstance(step.module, nn.Sequential) else step.module
        if not isinstance(module, nn.ReLU | nn.MaxPool2d | nn.Dropout | GridPool):
            return None
    return None


def with_widths(
    architecture: Architecture, widths: tuple[Width, ...], channels: Mapping[str, int]
) -> Architecture:
    """``architecture`` with other ``channels`` by the name of the producer; its name is its string."""
    layers, hidden = list(architecture.layers), list(architecture.head.hidden)
    for width in widths:
        count = channels.get(width.producer, width.channels)
        if width.layer is None:
            hidden[width.number] = count
            continue
        layer = layers[width.layer]
        if isinstance(layer, Residual):
            convs = list(layer.convs)
            convs[width.number] = replace(convs[width.number], channels=count)
            layers[width.layer] = Residual(tuple(convs))
        elif isinstance(layer, Conv):
            layers[width.layer] = replace(layer, channels=count)
    head = replace(architecture.head, hidden=tuple(hidden))
    name = format_architecture(tuple(layers), head)
    return replace(architecture, layers=tuple(layers), head=head, conv_bias=True, name=name)
