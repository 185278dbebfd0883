"""How others name and lay out the same weights: a table a layout, read in both directions.

layout       names                                           tensors
torchvision  features.0.weight, classifier.6.bias, fc.bias   as here
timm         features.0.weight, pre_logits.fc1, head.fc      VGG's fc1 as a 7 x 7, fc2 as a 1 x 1 convolution
mmpretrain   features.1.conv.weight, features.1.bn.bias,     as here
             classifier.0, head.fc
keras        block1_conv1/kernel, fc1/kernel, predictions    HWIO; fc inputs first, those of fc1 in H, W, C
keras-class  conv2d_3/kernel, dense/bias                     the same
caffe        conv1_1.weight, fc6.bias                        as here
npz          conv1_1_W, fc6_b                                as keras

Sources: torchvision 0.28 ``models/{vgg,alexnet,resnet}.py``; timm ``models/vgg.py``; mmpretrain
``tools/model_converters/vgg_to_mmpretrain.py``; keras ``applications/vgg16.py``; Caffe's prototxt of VGG.
No convolution is turned from BGR to RGB here: the order of channels belongs to the preprocessing.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from verydeep.architecture.layer_names import fc_names, layer_names
from verydeep.architecture.layers import Conv
from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET, Preprocess
from verydeep.models.classifier import Classifier, PlainClassifier


@dataclass(frozen=True)
class TensorLayout:
    """How a tensor is laid out elsewhere: from there to here, and back."""

    name: str
    here: Callable[[Tensor], Tensor]
    there: Callable[[Tensor], Tensor]


SAME = TensorLayout("the same", lambda tensor: tensor, lambda tensor: tensor)
HWIO = TensorLayout(
    "HWIO", lambda kernel: kernel.permute(3, 2, 0, 1), lambda weight: weight.permute(2, 3, 1, 0)
)
TRANSPOSED = TensorLayout("inputs first", lambda kernel: kernel.t(), lambda weight: weight.t())


def as_convolution(channels: int, grid: int) -> TensorLayout:
    """A fully connected layer on maps of ``channels`` x ``grid`` x ``grid``, kept as a convolution."""
    return TensorLayout(
        "a convolution",
        lambda kernel: kernel.flatten(1),
        lambda weight: weight.reshape(-1, channels, grid, grid),
    )


def channels_last(channels: int, grid: int) -> TensorLayout:
    """A fully connected layer whose inputs come in the order height, width, channels; inputs first."""
    return TensorLayout(
        "inputs first, in the order H, W, C",
        lambda kernel: kernel.reshape(grid, grid, channels, -1).permute(3, 2, 0, 1).flatten(1),
        lambda weight: weight.reshape(-1, channels, grid, grid).permute(2, 3, 1, 0).flatten(0, 2),
    )


@dataclass(frozen=True)
class KeyMapRow:
    """One row of a key map: a tensor's name here, its name there, and its form there."""

    ours: str
    theirs: str
    form: TensorLayout = SAME

    @property
    def is_optional(self) -> bool:
        """Whether files may lack it: the count of batches, which files before torch 0.4.1 do not have."""
        return self.ours.endswith("num_batches_tracked")


@dataclass(frozen=True)
class Layout:
    """A way of naming; ``entries`` gives the rows for a network, or none where it cannot be written so."""

    name: str
    entries: Callable[[Classifier], tuple[KeyMapRow, ...]]
    preprocess: Preprocess
    """What networks published in this layout see."""


def fully_connected(model: Classifier) -> tuple[str, ...]:
    """The names of the head's layers, ``classifier.0`` to the classes."""
    return tuple(name for name, module in model.named_modules() if isinstance(module, nn.Linear))


def _torchvision(model: Classifier) -> tuple[KeyMapRow, ...]:
    return tuple(KeyMapRow(name, name) for name in model.state_dict())


def _timm(model: Classifier) -> tuple[KeyMapRow, ...]:
    """VGG's head under other names; everything else, ResNet whole, as in torchvision."""
    head = model.architecture.head
    layers = fully_connected(model)
    if not isinstance(model, PlainClassifier) or not head.hidden or model.architecture.dropout_first:
        return ()
    channels = model.architecture.map_shape[0]
    renamed: dict[str, KeyMapRow] = {}
    for number, layer in enumerate(layers[:-1], start=1):
        form = (
            as_convolution(channels, head.grid) if number == 1 else as_convolution(head.hidden[number - 2], 1)
        )
        renamed |= _parameters(layer, f"pre_logits.fc{number}.", form)
    renamed |= _parameters(layers[-1], "head.fc.", SAME)
    return tuple(renamed.get(name, KeyMapRow(name, name)) for name in model.state_dict())


def _mmpretrain(model: Classifier) -> tuple[KeyMapRow, ...]:
    """Convolution and norm in one numbered module, pools counted; a ResNet's classes under ``head.fc``."""
    if not isinstance(model, PlainClassifier):
        renamed = _parameters("fc", "head.fc.", SAME)
        return tuple(renamed.get(name, KeyMapRow(name, name)) for name in model.state_dict())
    places = [place for place, layer in enumerate(model.architecture.layers) if isinstance(layer, Conv)]
    if len(places) != len(_features(model, nn.Conv2d)):  # a block among plain layers
        return ()
    rows: list[KeyMapRow] = []
    for kind, word in ((nn.Conv2d, "conv"), (nn.BatchNorm2d, "bn")):
        for ours, place in zip(_features(model, kind), places, strict=False):
            rows += [
                KeyMapRow(f"{ours}.{key}", f"features.{place}.{word}.{key}")
                for key in model.get_submodule(ours).state_dict()
            ]
    return (*rows, *_same_head(model))


def _keras(model: Classifier) -> tuple[KeyMapRow, ...]:
    """``block1_conv1`` to ``block5_conv4``, then ``fc1``, ``fc2``, ``predictions``."""
    stages = [re.fullmatch(r"conv(\d+)_(\d+)", name) for name in _conv_layers(model)]
    convs = [f"block{stage[1]}_conv{stage[2]}" for stage in stages if stage]
    hidden = [f"fc{number}" for number in range(1, len(fully_connected(model)))]
    return _hwio(model, convs, [*hidden, "predictions"], "/kernel", "/bias")


def _keras_class(model: Classifier) -> tuple[KeyMapRow, ...]:
    """``conv2d``, ``conv2d_1``, ...: Keras 3 in ``.weights.h5``, before it kept the layers' own names."""
    convs = [_numbered("conv2d", number) for number in range(len(_conv_layers(model)))]
    dense = [_numbered("dense", number) for number in range(len(fully_connected(model)))]
    return _hwio(model, convs, dense, "/kernel", "/bias")


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def _npz(model: Classifier) -> tuple[KeyMapRow, ...]:
    """``vgg16_weights.npz``, a conversion for TensorFlow that went round before Keras had its own."""
    return _hwio(model, _conv_layers(model), list(fc_names(model.architecture)), "_W", "_b")


def _caffe(model: Classifier) -> tuple[KeyMapRow, ...]:
    if not _is_plain(model):
        return ()
    layers = zip(
        [*_features(model, nn.Conv2d), *fully_connected(model)],
        [*_conv_layers(model), *fc_names(model.architecture)],
        strict=True,
    )
    return tuple(entry for ours, name in layers for entry in _parameters(ours, f"{name}.", SAME).values())


def _hwio(
    model: Classifier, convs: list[str], dense: list[str], weight: str, bias: str
) -> tuple[KeyMapRow, ...]:
    """The rows of a layout with channels last; none where the network has what such files cannot hold."""
    ours = _features(model, nn.Conv2d)
    if not _is_plain(model) or len(convs) != len(ours):
        return ()
    channels, grid = model.architecture.map_shape[0], model.architecture.head.grid
    forms = [HWIO] * len(ours) + [channels_last(channels, grid)] + [TRANSPOSED] * (len(dense) - 1)
    rows: list[KeyMapRow] = []
    for name, theirs, form in zip([*ours, *fully_connected(model)], [*convs, *dense], forms, strict=True):
        rows += [KeyMapRow(f"{name}.weight", theirs + weight, form), KeyMapRow(f"{name}.bias", theirs + bias)]
    return tuple(rows)


def _is_plain(model: Classifier) -> bool:
    """Whether it is convolutions in one group with biases and without norms, then fully connected layers."""
    convs = [layer for layer in model.architecture.layers if isinstance(layer, Conv)]
    return (
        isinstance(model, PlainClassifier)
        and model.architecture.norm == "none"
        and len(convs) == len(_features(model, nn.Conv2d))
        and all(conv.groups == 1 for conv in convs)
    )


def _conv_layers(model: Classifier) -> list[str]:
    """The papers' names of the convolutions: ``conv1_1``, ``conv1_2``, ..."""
    architecture = model.architecture
    named = zip(layer_names(architecture), architecture.layers, strict=True)
    return [name for name, layer in named if isinstance(layer, Conv)]


def _features(model: Classifier, kind: type[nn.Module]) -> list[str]:
    """The names of the modules of that kind before the head, in order."""
    return [name for name, module in model.named_modules() if isinstance(module, kind)]


def _same_head(model: Classifier) -> Iterator[KeyMapRow]:
    for layer in fully_connected(model):
        yield from _parameters(layer, f"{layer}.", SAME).values()


def _parameters(ours: str, theirs: str, form: TensorLayout) -> dict[str, KeyMapRow]:
    """Weight, in that form, and bias of one layer, by our names."""
    return {
        f"{ours}.weight": KeyMapRow(f"{ours}.weight", f"{theirs}weight", form),
        f"{ours}.bias": KeyMapRow(f"{ours}.bias", f"{theirs}bias"),
    }


LAYOUTS = (
    Layout("torchvision", _torchvision, IMAGENET),
    Layout("timm", _timm, IMAGENET),
    Layout("mmpretrain", _mmpretrain, IMAGENET),
    Layout("keras", _keras, CAFFE),
    Layout("keras-class", _keras_class, CAFFE),
    Layout("caffe", _caffe, CAFFE),
    Layout("npz", _npz, CAFFE_RGB),
)
