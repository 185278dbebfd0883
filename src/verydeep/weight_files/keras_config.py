"""The layers that a Keras model names in its configuration: is it the network that its weights look like?

Names and shapes do not tell a global maximum from a global average, nor a ``tanh`` from a ReLU. A file of
weights alone has no configuration, and is taken as convolutions and fully connected layers with ReLU.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from verydeep.errors import CheckpointError

MAX_BYTES, MAX_DEPTH = 16 << 20, 60
"""Of a configuration. That of ResNet-152 has 0.5 MB, 12 deep."""

_LAYERS = frozenset(
    {
        "Functional", "Model", "Sequential", "InputLayer", "Conv2D", "MaxPooling2D", "Dense", "Flatten",
        "GlobalAveragePooling2D", "Dropout", "SpatialDropout2D", "Activation", "ReLU", "Softmax",
        "ZeroPadding2D",
        "RandomFlip", "RandomRotation", "RandomZoom", "RandomCrop", "RandomTranslation", "RandomContrast",
        "RandomBrightness", "GaussianNoise", "BatchNormalization", "Add",
    }
)  # fmt: skip
"""Layers of the networks here, and layers that act in training alone."""

_WEIGHTED = ("Conv2D", "Dense")
_LINEAR = ("linear", None)
_OF_LAST = ("softmax", "sigmoid")
"""What the last layer may end with: the logits are the same."""


class _Layer(NamedTuple):
    """A layer: its class, and its settings."""

    kind: str
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.settings.get("name"))

    @property
    def has_activation(self) -> bool:
        return self.kind in (*_WEIGHTED, "Activation", "ReLU", "Softmax")

    @property
    def activation(self) -> Any:
        """The function it ends with; a ReLU that is bent or cut off has another name."""
        if self.kind == "Softmax":
            return "softmax"
        if self.kind != "ReLU":
            return self.settings.get("activation")
        given = {name: self.settings.get(name) for name in ("max_value", "negative_slope", "threshold")}
        changed = [f"{name}={value}" for name, value in given.items() if value]
        return f"ReLU({', '.join(changed)})" if changed else "relu"


def check_config(path: Path, text: str | bytes) -> None:
    """Refuse a model with a layer or an activation that no architecture string describes.

    Args:
        path: the file, for the message.
        text: its configuration, JSON. Anything else is accepted: the weights decide then.

    Raises:
        CheckpointError: naming the layer.
    """
    check_size(path, len(text))
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        return
    layers = list(_layers(config, 0))
    for layer in layers:
        if layer.kind not in _LAYERS:
            raise CheckpointError(
                f"{path} has the layer {layer.kind}, which no architecture string describes. Use "
                "GlobalAveragePooling2D or Flatten before the fully connected layers, and give preprocessing "
                "by --preprocess; or save the weights without it by model.save_weights"
            )
    for name, activation in _other_activations(layers):
        raise CheckpointError(
            f"{path} has the hidden layer {name} with the activation {activation}; "
            "hidden layers here have ReLU. Train it with relu"
        )


def _other_activations(layers: list[_Layer]) -> Iterator[tuple[str, Any]]:
    """The layers that do not compute what an architecture string says, with their activations.

    Hidden ones need ReLU, their own or before the next layer with weights. Branches are not followed: with
    ``Add`` a layer without an activation is taken for one of a residual block.
    """
    weighted = [index for index, layer in enumerate(layers) if layer.kind in _WEIGHTED]
    has_branches = any(layer.kind == "Add" for layer in layers)
    for index, following in pairwise((*weighted, len(layers))):
        is_last = following == len(layers)
        between = layers[index + 1 : following]
        functions = [layer.activation for layer in (layers[index], *between) if layer.has_activation]
        functions = [function for function in functions if function not in _LINEAR]
        allowed = ("relu", *_OF_LAST) if is_last else ("relu",)
        if other := [function for function in functions if function not in allowed]:
            yield layers[index].name, other[0]
        elif not functions and not is_last and not has_branches:
            yield layers[index].name, "linear"


def check_size(path: Path, size: int) -> None:
    """Refuse a configuration of ``size`` bytes that is far longer than that of any network.

    Raises:
        CheckpointError: with both sizes.
    """
    if size > MAX_BYTES:
        raise CheckpointError(
            f"{path} has a configuration of {size:,} bytes; a network needs less than {MAX_BYTES:,}. Save "
            "the weights alone, by model.save_weights"
        )


def _layers(values: Any, depth: int) -> Iterator[_Layer]:
    """Every layer below ``values`` in its order; the layers of a model inside stand in its place."""
    if depth > MAX_DEPTH:
        return
    if isinstance(values, list):
        for value in values:
            yield from _layers(value, depth + 1)
    elif isinstance(values, dict):
        kind, settings = values.get("class_name"), values.get("config")
        if isinstance(kind, str) and isinstance(settings, dict):
            yield _Layer(kind, settings)
            values = settings
        layers = values.get("layers")
        yield from _layers(layers if isinstance(layers, list) else values.get("config"), depth + 1)
