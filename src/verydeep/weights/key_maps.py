"""Key maps: how other projects name and lay out the same weights, one table per layout for both directions.

layout       keys                                            tensors
torchvision  features.0.weight, classifier.6.bias, fc.bias   the same
timm         features.0.weight, pre_logits.fc1, head.fc      VGG's fc1 as a 7 x 7, fc2 as a 1 x 1 convolution
mmpretrain   features.1.conv.weight, features.1.bn.bias,     the same
             classifier.0, head.fc
keras        block1_conv1/kernel, fc1/kernel, predictions    HWIO; fc inputs first, those of fc1 in H, W, C
keras-class  conv2d_3/kernel, dense/bias                     as keras
caffe        conv1_1.weight, fc6.bias                        the same
npz          conv1_1_W, fc6_b                                as keras

Sources: torchvision 0.28 ``models/{vgg,alexnet,resnet}.py``; timm ``models/vgg.py``; mmpretrain
``tools/model_converters/vgg_to_mmpretrain.py``; keras ``applications/vgg16.py``; Caffe's prototxt of VGG.
No key map changes BGR to RGB: the order of the color channels belongs to the preprocessing.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import nn

from verydeep.architecture.layer_names import fc_names, layer_names
from verydeep.architecture.layers import Conv
from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET, Preprocess
from verydeep.models.classifier import Classifier, PlainClassifier
from verydeep.weight_files.tensor_layouts import (
    HWIO,
    SAME,
    TRANSPOSED,
    TensorLayout,
    as_convolution,
    channels_last,
)


@dataclass(frozen=True)
class KeyMapRow:
    """One tensor: its key in the state dict here, its key in the file, and its layout in the file."""

    key: str
    file_key: str
    tensor_layout: TensorLayout = SAME

    @property
    def is_optional(self) -> bool:
        """Whether files may lack it: the count of batches, which files before torch 0.4.1 do not have."""
        return self.key.endswith("num_batches_tracked")


@dataclass(frozen=True)
class Layout:
    """The keys and tensor layouts that one project uses."""

    name: str
    key_map: Callable[[Classifier], tuple[KeyMapRow, ...]]
    """The rows for a network, the head last; empty where the layout cannot hold the network."""
    preprocess: Preprocess
    """The preprocessing of networks that are published in this layout."""


def fully_connected(model: Classifier) -> tuple[str, ...]:
    """The names of the layers of the head, from ``classifier.0`` to the last layer."""
    return tuple(name for name, module in model.named_modules() if isinstance(module, nn.Linear))


def _torchvision(model: Classifier) -> tuple[KeyMapRow, ...]:
    return tuple(KeyMapRow(key, key) for key in model.state_dict())


def _timm(model: Classifier) -> tuple[KeyMapRow, ...]:
    """VGG's head has other keys; the features of VGG and all of ResNet are as in torchvision."""
    head = model.architecture.head
    layers = fully_connected(model)
    if not isinstance(model, PlainClassifier) or not head.hidden or model.architecture.dropout_first:
        return ()
    channels = model.architecture.map_shape[0]
    renamed: dict[str, KeyMapRow] = {}
    for number, layer in enumerate(layers[:-1], start=1):
        tensor_layout = (
            as_convolution(channels, head.grid) if number == 1 else as_convolution(head.hidden[number - 2], 1)
        )
        renamed |= _layer_rows(layer, f"pre_logits.fc{number}.", tensor_layout)
    renamed |= _layer_rows(layers[-1], "head.fc.", SAME)
    return tuple(renamed.get(key, KeyMapRow(key, key)) for key in model.state_dict())


def _mmpretrain(model: Classifier) -> tuple[KeyMapRow, ...]:
    """One numbered module holds convolution and norm, and pools count too; ResNet ends in ``head.fc``."""
    if not isinstance(model, PlainClassifier):
        renamed = _layer_rows("fc", "head.fc.", SAME)
        return tuple(renamed.get(key, KeyMapRow(key, key)) for key in model.state_dict())
    indices = [index for index, layer in enumerate(model.architecture.layers) if isinstance(layer, Conv)]
    if len(indices) != len(_module_names(model, nn.Conv2d)):  # a residual block among plain layers
        return ()
    rows: list[KeyMapRow] = []
    for module_type, file_name in ((nn.Conv2d, "conv"), (nn.BatchNorm2d, "bn")):
        for name, index in zip(_module_names(model, module_type), indices, strict=False):
            rows += [
                KeyMapRow(f"{name}.{parameter}", f"features.{index}.{file_name}.{parameter}")
                for parameter in model.get_submodule(name).state_dict()
            ]
    return (*rows, *_same_head(model))


def _keras(model: Classifier) -> tuple[KeyMapRow, ...]:
    """``block1_conv1`` to ``block5_conv4``, then ``fc1``, ``fc2``, ``predictions``."""
    stages = [re.fullmatch(r"conv(\d+)_(\d+)", name) for name in _conv_names(model)]
    convs = [f"block{stage[1]}_conv{stage[2]}" for stage in stages if stage]
    hidden = [f"fc{number}" for number in range(1, len(fully_connected(model)))]
    return _channels_last_rows(model, convs, [*hidden, "predictions"], "/kernel", "/bias")


def _keras_class(model: Classifier) -> tuple[KeyMapRow, ...]:
    """``conv2d``, ``conv2d_1``, ...: the class names that ``.weights.h5`` used before Keras 3.8."""
    convs = [_numbered("conv2d", number) for number in range(len(_conv_names(model)))]
    dense = [_numbered("dense", number) for number in range(len(fully_connected(model)))]
    return _channels_last_rows(model, convs, dense, "/kernel", "/bias")


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def _npz(model: Classifier) -> tuple[KeyMapRow, ...]:
    """``vgg16_weights.npz``, a conversion for TensorFlow from before Keras published VGG weights."""
    return _channels_last_rows(model, _conv_names(model), list(fc_names(model.architecture)), "_W", "_b")


def _caffe(model: Classifier) -> tuple[KeyMapRow, ...]:
    if not _is_plain(model):
        return ()
    layers = zip(
        [*_module_names(model, nn.Conv2d), *fully_connected(model)],
        [*_conv_names(model), *fc_names(model.architecture)],
        strict=True,
    )
    return tuple(
        row for name, file_name in layers for row in _layer_rows(name, f"{file_name}.", SAME).values()
    )


def _channels_last_rows(
    model: Classifier, convs: list[str], dense: list[str], weight: str, bias: str
) -> tuple[KeyMapRow, ...]:
    """The rows of a layout with channels last; none where such a file cannot hold the network.

    Args:
        model: the network.
        convs: the names of its convolutions in the file.
        dense: the names of its fully connected layers in the file.
        weight: what follows such a name in the key of a weight.
        bias: what follows it in the key of a bias.
    """
    conv_names = _module_names(model, nn.Conv2d)
    if not _is_plain(model) or len(convs) != len(conv_names):
        return ()
    channels, grid = model.architecture.map_shape[0], model.architecture.head.grid
    dense_layouts = [channels_last(channels, grid)] + [TRANSPOSED] * (len(dense) - 1)
    layers = zip(
        [*conv_names, *fully_connected(model)],
        [*convs, *dense],
        [HWIO] * len(conv_names) + dense_layouts,
        strict=True,
    )
    rows: list[KeyMapRow] = []
    for name, file_name, tensor_layout in layers:
        rows += [
            KeyMapRow(f"{name}.weight", file_name + weight, tensor_layout),
            KeyMapRow(f"{name}.bias", file_name + bias),
        ]
    return tuple(rows)


def _is_plain(model: Classifier) -> bool:
    """Whether it is convolutions without groups and norms but with biases, then fully connected layers."""
    convs = [layer for layer in model.architecture.layers if isinstance(layer, Conv)]
    return (
        isinstance(model, PlainClassifier)
        and model.architecture.norm == "none"
        and len(convs) == len(_module_names(model, nn.Conv2d))
        and all(conv.groups == 1 for conv in convs)
    )


def _conv_names(model: Classifier) -> list[str]:
    """The names of the convolutions as in the papers: ``conv1_1``, ``conv1_2``, ..."""
    architecture = model.architecture
    named = zip(layer_names(architecture), architecture.layers, strict=True)
    return [name for name, layer in named if isinstance(layer, Conv)]


def _module_names(model: Classifier, module_type: type[nn.Module]) -> list[str]:
    """The names of the modules of that type, in order."""
    return [name for name, module in model.named_modules() if isinstance(module, module_type)]


def _same_head(model: Classifier) -> Iterator[KeyMapRow]:
    for layer in fully_connected(model):
        yield from _layer_rows(layer, f"{layer}.", SAME).values()


def _layer_rows(layer: str, file_prefix: str, weight_layout: TensorLayout) -> dict[str, KeyMapRow]:
    """The rows of the weight and the bias of one layer, by key."""
    return {
        f"{layer}.weight": KeyMapRow(f"{layer}.weight", f"{file_prefix}weight", weight_layout),
        f"{layer}.bias": KeyMapRow(f"{layer}.bias", f"{file_prefix}bias"),
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
