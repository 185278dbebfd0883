"""Step 5 of loading: fit trained weights to other classes, input channels and image sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Head
from verydeep.errors import ArchitectureError, CheckpointError
from verydeep.models.build import build_empty
from verydeep.models.classifier import Classifier
from verydeep.models.initialization import initialize_layers
from verydeep.weights.class_names import numbered_classes
from verydeep.weights.key_maps import fully_connected
from verydeep.weights.trained_weights import TrainedWeights


class FittedModel(NamedTuple):
    """A model with trained weights, and what in it differs from them."""

    model: Classifier
    changes: tuple[str, ...]
    """In words."""
    new_layers: tuple[str, ...]
    """The layers with random initialization, still to be trained."""


def check_same_features(weights: TrainedWeights, architecture: Architecture) -> None:
    """Refuse weights whose layers before the head are not those of ``architecture``.

    Raises:
        CheckpointError: naming both networks.
    """
    trained = weights.architecture
    if (trained.layers, trained.norm, trained.conv_bias) != (
        architecture.layers,
        architecture.norm,
        architecture.conv_bias,
    ):
        raise CheckpointError(
            f"{weights.path} holds weights of {trained.name}, but {architecture.name} was requested. Build "
            f"{trained.name!r}, or give weights of {architecture.name}"
        )


def with_open_settings_of(weights: TrainedWeights, network: Architecture) -> Architecture:
    """``network``; where it is known by its string alone, with the norms and biases of the weights."""
    trained = weights.architecture
    if network.name != network.string:
        return network
    return replace(network, norm=trained.norm, conv_bias=trained.conv_bias)


def fitted_class_names(weights: TrainedWeights, classes: int | Sequence[str] | None) -> tuple[str, ...]:
    """The class names of the fitted network: those given, or those of the weights where none are.

    Raises:
        CheckpointError: where none are given and the weights have no head.
    """
    if classes is None:
        if not weights.has_head:
            raise CheckpointError(
                f"{weights.path} holds the features of {weights.architecture.name} without a head. Give the "
                "number of classes for a new head, to be trained: classes=10, --classes 10; or load the "
                "features alone: verydeep.load"
            )
        return weights.classes
    if not isinstance(classes, int):
        return tuple(classes)
    if classes < 1:
        raise ArchitectureError(f"a classifier needs at least one class, {classes} given")
    is_unchanged = weights.has_head and classes == len(weights.classes)
    return weights.classes if is_unchanged else numbered_classes(classes)


def fitted_architecture(
    weights: TrainedWeights, network: Architecture | None, classes: int, channels: int, size: int
) -> Architecture:
    """``network``, or by default the network of the weights, for these classes, channels and sizes.

    The head is that of the weights, unless ``network`` has another head than the zoo's network of its name.
    """
    fitted = replace(network or weights.architecture, classes=classes)
    if not weights.has_head:
        return fitted.with_input(channels, size)
    if network is not None and network.head == _zoo_head(network):
        fitted = replace(fitted, head=weights.architecture.head, name=weights.architecture.name)
    return replace(fitted, input=(channels, size, size))


def _zoo_head(architecture: Architecture) -> Head | None:
    """The head of the zoo's network of that name; None for an architecture string, which states its head."""
    return zoo.resolve(architecture.name).head if architecture.name in zoo.names() else None


def fit_weights(weights: TrainedWeights, architecture: Architecture) -> FittedModel:
    """The model of ``architecture``, which has the same features, with every weight that fits it.

    For gray images the weights of the first convolution are summed over the three colors. The head keeps the
    layers before the first one of another shape; this one and those after it get a random initialization
    from torch's global generator (``he`` in ``models/initialization.py``).
    """
    model, changes = build_empty(architecture), list[str]()
    tensors = dict(weights.tensors)
    stem = next(iter(model.state_dict()))
    channels = architecture.input[0]
    if tensors[stem].shape[1] != channels:
        tensors[stem] = _summed_over_colors(weights, tensors[stem], channels)
        changes.append("the first convolution's weights are summed over the three colors, for gray images")
    new_layers = _layers_to_initialize(model, tensors)
    if new_layers:
        changes.append(f"{', '.join(new_layers)} for {architecture.classes} classes: random initialization")
    _assign(model, tensors, new_layers)
    return FittedModel(
        model.eval(), (*_resized_map(weights.architecture, architecture), *changes), new_layers
    )


def fit_features(weights: TrainedWeights, channels: int, size: int) -> FittedModel:
    """The features with a head of one logit that is always zero, as there is no head to load."""
    trained = weights.architecture
    name = f"{trained.name.removesuffix(' features')} features"
    headless = replace(trained, name=name, head=Head(), classes=1, input=(channels, size, size), notes=())
    model, changes, _ = fit_weights(weights, headless)
    for parameter in model.get_submodule(fully_connected(model)[0]).parameters():
        nn.init.zeros_(parameter)
    return FittedModel(model, (*changes[:-1], "no head: one logit, always zero"), ())


def _resized_map(before: Architecture, architecture: Architecture) -> tuple[str, ...]:
    """A note where, at another image size, the pool before the head changes the size of the last map."""
    side, grid, size = architecture.map_shape[1], architecture.head.grid, architecture.input[1]
    if grid in (1, side) or size == before.input[1]:
        return ()
    return (
        f"images of {size} px give a last map of {side} x {side}; the pool before the head resizes it to "
        f"{grid} x {grid}",
    )


def _summed_over_colors(weights: TrainedWeights, stem: Tensor, channels: int) -> Tensor:
    if channels != 1 or stem.shape[1] != 3:
        raise ArchitectureError(
            f"{weights.path} was trained on images with {stem.shape[1]} channels and does not fit images "
            f"with {channels}. Use the same number of channels, or 1 in place of 3"
        )
    return stem.sum(1, keepdim=True)


def _layers_to_initialize(model: Classifier, tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The layers of the head from the first one that is missing or has another shape."""
    expected = model.state_dict()
    layers = fully_connected(model)
    for index, layer in enumerate(layers):
        weight = tensors.get(f"{layer}.weight")
        if weight is None or weight.shape != expected[f"{layer}.weight"].shape:
            return layers[index:]
    return ()


def _assign(model: Classifier, tensors: Mapping[str, Tensor], new_layers: tuple[str, ...]) -> None:
    """Assign ``tensors`` to a model without memory, and initialize ``new_layers``."""
    for layer in new_layers:
        model.get_submodule(layer).to_empty(device="cpu")
    initialized = tuple(f"{layer}." for layer in new_layers)
    # Only the count of batches may be missing; match.py checked all other tensors.
    state = {
        key: value if key.startswith(initialized) else tensors.get(key, torch.tensor(0))
        for key, value in model.state_dict().items()
    }
    model.load_state_dict(state, assign=True)
    initialize_layers(model, [_linear(model, layer) for layer in new_layers])


def _linear(model: Classifier, name: str) -> nn.Linear:
    layer = model.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    return layer
