"""Pretrained weights as the start of training, for your classes, at a size that fits your images."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import layer_names
from verydeep.architecture.layers import Head
from verydeep.architecture.preprocess import Fit
from verydeep.download.download import Progress
from verydeep.errors import CheckpointError, RecipeError
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.feature_steps import last_map_name
from verydeep.models.initialization import initialize_layers
from verydeep.user_path import user_path
from verydeep.weight_files.checkpoint_description import is_checkpoint
from verydeep.weights.catalog import is_published
from verydeep.weights.download_weights import download_weights
from verydeep.weights.load import IMAGENET_WEIGHTS, pretrained

LEAST_SIZE, GREATEST_SIZE, SIZE_STEP = 96, 224, 32
"""Of images in px: published networks halve them five times, and were trained on 224."""


def pretrained_network(
    weights: str,
    model: str | None,
    head: str,
    classes: tuple[str, ...],
    seed: int,
    channels: int | None = None,
    progress: Progress | None = None,
) -> Checkpoint:
    """The network of ``weights`` for ``classes``, at its own image size.

    The last layer is randomly initialized by ``seed``, unless the weights were trained on these very classes
    with this head.

    Args:
        weights: a weight file, a run folder, or the name of published weights.
        model: the network that it must be; by default the one that the weights are of.
        head: gap, whole, or the layer to put the classifier after (``Recipe.head``).
        classes: the names of the classes.
        seed: of the random initialization.
        channels: of the images, 1 or 3; by default those that the weights were trained on.
        progress: called while published weights are downloaded, with the bytes received and in total.

    Raises:
        CheckpointError: where there are no such weights, or they lack hidden layers that ``head`` asks for.
        RecipeError: where the network has no layer called ``head``.
    """
    file = _file(weights, model, progress)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _fitted(file, model, head, classes, seed, channels)


def _fitted(
    file: Path, model: str | None, head: str, classes: tuple[str, ...], seed: int, channels: int | None
) -> Checkpoint:
    if head == "whole":
        return _with_hidden_layers(file, model, classes, channels)
    own = pretrained(model, file, channels=channels).checkpoint if _is_checkpoint(file) else None
    if own is not None and own.classes == classes and _has_head(own.model, head):
        return own
    network = _features(file, model, channels)
    if head != "gap":
        network = replace(network, model=shortened(network.model, up_to_layer(network.model, head)))
    return with_new_last_layer(network, classes, seed)


def _has_head(model: Classifier, head: str) -> bool:
    """Whether the classifier is after global average pooling, of the layer ``head`` where that is one."""
    return model.architecture.head == Head() and head in ("gap", last_map_name(model))


def _is_checkpoint(file: Path) -> bool:
    """Whether it is one of ours, which knows its classes: a run folder, or its model file."""
    return file.is_dir() or (file.is_file() and is_checkpoint(file))


def _with_hidden_layers(
    file: Path, model: str | None, classes: tuple[str, ...], channels: int | None
) -> Checkpoint:
    loaded = pretrained(model, file, classes=classes, channels=channels)
    if len(loaded.new_layers) > 1:
        raise CheckpointError(
            f"{file} has no {', '.join(loaded.new_layers[:-1])}, which --head whole keeps. Use --head gap, "
            "or weights that have these layers"
        )
    return loaded.checkpoint


def _features(file: Path, model: str | None, channels: int | None) -> Checkpoint:
    """The convolutions of the weights, under global average pooling, without a last layer worth keeping."""
    if model is None:
        loaded = pretrained(None, file, features_only=True, channels=channels)
    else:
        whole = zoo.resolve(model)
        asked = replace(whole, head=Head())
        if whole.name == whole.string:  # still known by its string alone: the weights decide the norm
            asked = replace(asked, name=asked.string)
        loaded = pretrained(asked, file, classes=1, features_only=True, channels=channels)
    network = loaded.checkpoint
    architecture = network.model.architecture
    name = f"{architecture.name.removesuffix(' features').removesuffix('-gap')}-gap"
    renamed = rebuilt(network.model, replace(architecture, name=name, notes=()))
    return replace(network, model=renamed, classes=(), origin={"weights": file.name})


def _file(weights: str, model: str | None, progress: Progress | None) -> Path:
    file = user_path(weights)
    is_path = file.suffix or len(file.parts) > 1
    if file.exists() or (is_path and not is_published(weights)):
        return file
    if weights != IMAGENET_WEIGHTS:
        return download_weights(weights, progress=progress)
    if model is None:
        raise RecipeError("--weights imagenet needs --model beside it, such as vgg16")
    return download_weights(model, progress=progress)


def up_to_layer(model: Classifier, layer: str) -> Architecture:
    """The architecture of ``model`` that ends after ``layer``, such as relu4_3 or pool4, with a gap head.

    Raises:
        RecipeError: where the network has no such layer.
    """
    architecture = model.architecture
    names = layer_names(architecture)
    wanted = layer.replace("relu", "conv", 1)
    if wanted in names:
        layers = architecture.layers[: names.index(wanted) + 1]
        ended = replace(architecture, layers=layers, head=Head())
        if last_map_name(build_empty(ended)) == layer:
            return ended
    maps = ", ".join(name.replace("conv", "relu", 1) for name in names)
    raise RecipeError(f"head is {layer!r}; expected gap, whole, or a layer of {architecture.name}: {maps}")


def shortened(model: Classifier, architecture: Architecture) -> Classifier:
    """The network of ``architecture`` on as many of the model's layers; its last layer is zero."""
    empty, tensors = build_empty(architecture), model.state_dict(keep_vars=True)
    state = {
        name: torch.zeros(value.shape) if name.startswith(f"{empty.last}.") else tensors[name]
        for name, value in empty.state_dict().items()
    }
    name = f"{architecture.name.removesuffix('-gap')}-to-{last_map_name(empty)}"
    return rebuilt(model, replace(architecture, name=name), state)


def with_new_last_layer(network: Checkpoint, classes: tuple[str, ...], seed: int) -> Checkpoint:
    """``network`` with a randomly initialized last layer for ``classes``; all other tensors are shared."""
    architecture = network.model.architecture.with_classes(len(classes))
    old, empty = last_layer(network.model), build_empty(architecture)
    new = last_layer(empty).to_empty(device=old.weight.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        initialize_layers(empty, [new])
    return with_last_layer(network, new.weight, new.bias, classes)


def with_last_layer(
    network: Checkpoint, weight: torch.Tensor, bias: torch.Tensor, classes: tuple[str, ...]
) -> Checkpoint:
    """``network`` with a last layer of this weight and bias for ``classes``; all other tensors are shared."""
    layer = last_layer(network.model)
    new = {id(layer.weight): weight, id(layer.bias): bias}
    state = {
        name: new.get(id(value), value) for name, value in network.model.state_dict(keep_vars=True).items()
    }
    architecture = network.model.architecture.with_classes(len(classes))
    return replace(network, model=rebuilt(network.model, architecture, state), classes=classes)


def last_layer(model: Classifier) -> nn.Linear:
    """The layer that gives the logits."""
    layer = list(model.head_modules())[-1]
    assert isinstance(layer, nn.Linear)
    return layer


def rebuilt(
    model: Classifier, architecture: Architecture, state: Mapping[str, torch.Tensor] | None = None
) -> Classifier:
    """The network of ``architecture`` on the tensors of ``model``, or on those of ``state``, shared."""
    built = build_empty(architecture)
    tensors = model.state_dict() if state is None else state
    built.load_state_dict({name: value.detach() for name, value in tensors.items()}, assign=True)
    return built.eval()


def at_size(network: Checkpoint, size: int) -> Checkpoint:
    """``network`` for images of ``size`` px, without a margin around the crop.

    Raises:
        ShapeError: where its layers need larger images.
    """
    channels = network.preprocess.channels
    model = rebuilt(network.model, replace(network.model.architecture, input=(channels, size, size)))
    preprocess = replace(network.preprocess.for_input(channels, size), resize=None)
    return replace(network, model=model, preprocess=preprocess)


def with_fit(network: Checkpoint, fit: Fit) -> Checkpoint:
    """``network`` for images that become square by ``fit``."""
    return replace(network, preprocess=network.preprocess.with_fit(fit))


def with_dropout(network: Checkpoint, dropout: float | None) -> Checkpoint:
    """``network`` with this dropout in the hidden layers of its head; None leaves it as it is."""
    if dropout is None:
        return network
    architecture = replace(network.model.architecture, dropout=dropout)
    return replace(network, model=rebuilt(network.model, architecture))


def fitting_size(asked: int | None, short_side: int, own: int) -> tuple[int, str]:
    """The side in px to which images are resized, and the reason.

    Enlarging small images costs time and adds nothing, so their own size is used, within what published
    networks can use; a network that was trained on small images keeps its own size.
    """
    if asked is not None:
        return asked, f"{asked} px, as given by --size"
    if own < LEAST_SIZE:
        return own, f"{own} px, the size that the weights were trained on"
    size = min(GREATEST_SIZE, max(LEAST_SIZE, short_side // SIZE_STEP * SIZE_STEP))
    return size, f"{size} px, as half of the images have a short side of at least {short_side} px"
