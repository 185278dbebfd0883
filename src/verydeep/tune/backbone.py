"""What a tuning begins from: a trained network at the size of the images, its last layer still to learn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from torch import nn

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Head
from verydeep.architecture.preprocess import IMAGENET as IMAGENET_SEEN
from verydeep.data.decode import short_side
from verydeep.data.samples import ImageSource
from verydeep.errors import CheckpointError, DataError, RecipeError
from verydeep.models.build import build, build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.tune.logistic_regression import LinearHead
from verydeep.tune.result import TuneSettings
from verydeep.weights.download_weights import download_weights
from verydeep.weights.load import IMAGENET_WEIGHTS, pretrained

LEAST_SIZE, GREATEST_SIZE, SIZE_STEP = 96, 224, 32
"""Of images in px: published networks halve them five times, and were trained on 224."""
SIZES_READ = 500
"""Of how many images the sides are read."""


def fitted_backbone(
    settings: TuneSettings, classes: tuple[str, ...], short_side: int
) -> tuple[Checkpoint, str]:
    """The network to begin from at the size that suits images of this ``short_side``, and why that one.

    Raises:
        CheckpointError: where the weights cannot be used.
        RecipeError: where none are given and none can be done without.
        ShapeError: where the size is too small for the network.
    """
    if settings.weights is None:
        if settings.way != "from-scratch" or settings.model is None:
            raise RecipeError(
                "give --weights: a file, a run folder, or a name such as vgg16; --from-scratch does without, "
                "with --model for the network"
            )
        size, reason = fitting_size(settings.size, short_side, IMAGENET_SEEN.size)
        return _new(zoo.resolve(settings.model), classes, size), reason
    network = load_backbone(settings, settings.weights, classes)
    size, reason = fitting_size(settings.size, short_side, network.preprocess.size)
    return at_size(network, size), reason


def _new(architecture: Architecture, classes: tuple[str, ...], size: int) -> Checkpoint:
    """A network without weights worth keeping; it is drawn anew before it is trained."""
    fitted = architecture.with_classes(len(classes)).with_input(3, size)
    return Checkpoint(build(fitted).eval(), replace(IMAGENET_SEEN, size=size, resize=None), classes)


def load_backbone(settings: TuneSettings, weights: str, classes: tuple[str, ...]) -> Checkpoint:
    """The network of the weights at their own size, with a last layer for ``classes`` that is still to learn.

    Raises:
        CheckpointError: where there are no such weights, or hidden layers are asked for that they lack.
    """
    file = _file(weights, settings.model)
    if settings.head == "whole":
        loaded = pretrained(settings.model, file, classes=classes)
        if len(loaded.new_layers) > 1:
            raise CheckpointError(
                f"{file} lacks {', '.join(loaded.new_layers[:-1])}, which would stay as they were drawn. "
                "Take --head gap, or weights that have them"
            )
        return loaded.checkpoint
    if settings.model is None:
        loaded = pretrained(None, file, features_only=True)
    else:
        asked = zoo.resolve(settings.model)
        loaded = pretrained(replace(asked, head=Head()), file, classes=classes, features_only=True)
    network = loaded.checkpoint
    name = f"{network.model.architecture.name.removesuffix(' features').removesuffix('-gap')}-gap"
    model = rebuilt(network.model, replace(network.model.architecture, name=name, notes=()))
    return replace(network, model=model, classes=classes, origin={"weights": file.name})


def _file(weights: str, model: str | None) -> Path:
    file = Path(weights).expanduser()
    if file.exists() or file.suffix or len(file.parts) > 1:
        return file
    if weights != IMAGENET_WEIGHTS:
        return download_weights(weights)
    if model is None:
        raise RecipeError("--weights imagenet needs --model beside it, such as vgg16")
    return download_weights(model)


def median_short_side(sources: Sequence[ImageSource]) -> int:
    """The median of the images' short sides in px, from the headers of at most 500, evenly spaced.

    Raises:
        DataError: where none of them can be read.
    """
    step = -(-len(sources) // SIZES_READ)
    sides = [side for source in sources[::step] if (side := short_side(source))]
    if not sides:
        raise DataError(f"none of {len(sources[::step])} images can be read, such as {sources[0]}")
    return int(median(sides))


def fitting_size(asked: int | None, short_side: int, own: int) -> tuple[int, str]:
    """The side in px at which images are seen, and why.

    Enlarging what is small costs time and adds nothing, so the images' own size is taken, within what
    published networks can use; a network made for small images sees its own size.
    """
    if asked is not None:
        return asked, f"{asked} px, as asked for"
    if own < LEAST_SIZE:
        return own, f"{own} px, which the weights were trained on"
    size = min(GREATEST_SIZE, max(LEAST_SIZE, short_side // SIZE_STEP * SIZE_STEP))
    return size, f"{size} px, since half of the images have a short side of at least {short_side} px"


def at_size(network: Checkpoint, size: int) -> Checkpoint:
    """``network`` for images of ``size`` px, of which nothing is cut off but what makes them square.

    Raises:
        ShapeError: where its layers do not fit into that.
    """
    channels = network.preprocess.channels
    model = rebuilt(network.model, replace(network.model.architecture, input=(channels, size, size)))
    seen = replace(network.preprocess.for_input(channels, size), resize=None)
    return replace(network, model=model, preprocess=seen)


def last_layer(model: Classifier) -> nn.Linear:
    """The layer that gives the logits."""
    layer = list(model.head_modules())[-1]
    assert isinstance(layer, nn.Linear)
    return layer


def with_head(network: Checkpoint, head: LinearHead, classes: tuple[str, ...]) -> Checkpoint:
    """``network`` with ``head`` in place of its last layer; all other tensors are shared."""
    layer = last_layer(network.model)
    new = {id(layer.weight): head.weight, id(layer.bias): head.bias}
    state = {
        name: new.get(id(value), value) for name, value in network.model.state_dict(keep_vars=True).items()
    }
    architecture = network.model.architecture.with_classes(len(classes))
    return replace(network, model=rebuilt(network.model, architecture, state), classes=classes)


def rebuilt(
    model: Classifier, architecture: Architecture, state: Mapping[str, torch.Tensor] | None = None
) -> Classifier:
    """The network of ``architecture`` on the tensors of ``model``, or on those of ``state``, shared."""
    built = build_empty(architecture)
    tensors = model.state_dict() if state is None else state
    built.load_state_dict({name: value.detach() for name, value in tensors.items()}, assign=True)
    return built.eval()
