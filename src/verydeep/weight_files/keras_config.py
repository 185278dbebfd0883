"""The layers that a Keras model names in its configuration: is it the network that its weights look like?

Names and shapes do not tell a global maximum from a global average, nor a ``tanh`` from a ReLU. A file of
weights alone has no configuration, and is taken as convolutions and fully connected layers with ReLU.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

_ACTIVATIONS = ("relu", "linear", "softmax", "sigmoid", None)


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
    for kind, values in _layers(config, 0):
        if kind not in _LAYERS:
            raise CheckpointError(
                f"{path} has the layer {kind}, which no architecture string describes. Use "
                "GlobalAveragePooling2D or Flatten before the fully connected layers, and give preprocessing "
                "by --preprocess; or save the weights without it by model.save_weights"
            )
        if kind in ("Conv2D", "Dense") and values.get("activation") not in _ACTIVATIONS:
            raise CheckpointError(
                f"{path} has the layer {values.get('name')} with the activation {values.get('activation')}; "
                "hidden layers here have ReLU. Train it with relu"
            )


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


def _layers(values: Any, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every layer below ``values``: its class, and its settings."""
    if depth > MAX_DEPTH:
        return
    if isinstance(values, list):
        for value in values:
            yield from _layers(value, depth + 1)
    elif isinstance(values, dict):
        for layer in values.get("layers", []) if isinstance(values.get("layers"), list) else []:
            if isinstance(layer, dict) and isinstance(layer.get("config"), dict):
                yield str(layer.get("class_name")), layer["config"]
        for value in values.values():
            yield from _layers(value, depth + 1)
