"""The code that rebuilds a tuned network from the modules of another project, before its weights are loaded.

A tuned network has the first layers of a published one and a head of its own: ``vgg16`` up to ``relu4_3``,
global average pooling, three classes. torchvision, timm and Keras have no name for it, but a few lines make
it out of their own network.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from torch import nn

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Head
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier, PlainClassifier, StagedClassifier
from verydeep.models.feature_steps import last_map_name


def base_network(architecture: Architecture, names: Iterable[str]) -> str | None:
    """The first of the zoo's ``names`` that begins with all layers of ``architecture``; None if none does."""
    for name in names:
        published = zoo.resolve(name)
        begins = published.layers[: len(architecture.layers)] == architecture.layers
        same_settings = (published.norm, published.conv_bias) == (architecture.norm, architecture.conv_bias)
        same_form = type(build_empty(published)) is type(build_empty(architecture))
        if begins and same_settings and same_form:
            return name
    return None


def torchvision_code(network: Checkpoint, name: str, path: Path) -> str:
    """Python code that builds ``network`` from torchvision's ``name``, and loads its state dict."""
    model, base = network.model, _published(name)
    lines = ["import torch, torchvision", f"model = torchvision.models.{name}()"]
    lines += [*_cut_lines(model, base), *_stem_lines(model)]
    if network.classes:
        lines += _torchvision_head(model)
    return "\n".join([*lines, *load_lines(network, path)])


def timm_code(network: Checkpoint, name: str, path: Path) -> str:
    """Python code that builds ``network`` from timm's ``name``, and loads its state dict."""
    model, base = network.model, _published(name)
    channels, classes = model.architecture.input[0], len(network.classes)
    lines = ["import timm, torch", f'model = timm.create_model("{name}", in_chans={channels})']
    lines += _cut_lines(model, base)
    maps = model.architecture.map_shape[0]
    if classes and isinstance(model, PlainClassifier):
        lines.append("model.pre_logits = torch.nn.Identity()")
        lines.append(f"model.head = timm.layers.ClassifierHead({maps}, {classes})")
    elif classes:
        lines.append(f"model.fc = torch.nn.Linear({maps}, {classes})")
    return "\n".join([*lines, *load_lines(network, path)])


def keras_code(network: Checkpoint, name: str, path: Path) -> str:
    """Python code that builds ``network`` from Keras's ``name``, and loads its weights; it gives logits."""
    channels, size, _ = network.model.architecture.input
    maps = _keras_layer(last_map_name(network.model))
    shape = f"({size}, {size}, {channels})"
    return "\n".join(
        (
            "import keras",
            f"base = keras.applications.{name.upper()}(weights=None, include_top=False, input_shape={shape})",
            f'pooled = keras.layers.GlobalAveragePooling2D()(base.get_layer("{maps}").output)',
            f'logits = keras.layers.Dense({len(network.classes)}, name="predictions")(pooled)',
            "model = keras.Model(base.input, logits)",
            f"model.load_weights({python_text(path)})",
        )
    )


def _keras_layer(map_name: str) -> str:
    """``relu4_3`` as ``block4_conv3``, ``pool5`` as ``block5_pool``."""
    if map_name.startswith("pool"):
        return f"block{map_name.removeprefix('pool')}_pool"
    stage, layer = map_name.removeprefix("relu").split("_")
    return f"block{stage}_conv{layer}"


def has_gap_head(architecture: Architecture) -> bool:
    """Whether the classes follow global average pooling, without hidden layers."""
    return architecture.head == Head()


def python_text(path: Path) -> str:
    """``path`` as a text in Python code: with the backslashes of Windows, and whatever a name may have."""
    return json.dumps(str(path), ensure_ascii=False)


def load_lines(network: Checkpoint, path: Path) -> list[str]:
    """The lines that load the state dict at ``path`` into ``model``, and need ``torch``."""
    is_safetensors = path.suffix == ".safetensors"
    quoted = python_text(path)
    tensors = f"safetensors.torch.load_file({quoted})" if is_safetensors else f"torch.load({quoted})"
    strict = "" if network.classes else ", strict=False"
    lines = [f"model.load_state_dict({tensors}{strict})", "model.eval()"]
    return ["import safetensors.torch", *lines] if is_safetensors else lines


def _published(name: str) -> Classifier:
    return build_empty(zoo.resolve(name))


def _cut_lines(model: Classifier, base: Classifier) -> list[str]:
    """The lines that remove the last layers of ``base`` that ``model`` does not have."""
    if isinstance(model, PlainClassifier):
        modules, published = len(list(model.feature_modules())), len(list(base.feature_modules()))
        return [f"model.features = model.features[:{modules}]"] if modules < published else []
    assert isinstance(base, StagedClassifier)
    lines = []
    for stage in (name for name in base.body if name.startswith("layer")):
        if stage not in model.body:
            lines.append(f"model.{stage} = torch.nn.Identity()")
        elif (blocks := _length(model.get_submodule(stage))) < _length(base.get_submodule(stage)):
            lines.append(f"model.{stage} = model.{stage}[:{blocks}]")
    return lines


def _length(stage: nn.Module) -> int:
    assert isinstance(stage, nn.Sequential)
    return len(stage)


def _stem_lines(model: Classifier) -> list[str]:
    """The line that replaces the first convolution of an RGB network by one for gray images."""
    stem = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    name = "features[0]" if isinstance(model, PlainClassifier) else "conv1"
    return [] if stem.in_channels == 3 else [f"model.{name} = torch.nn.{stem!r}"]


def _torchvision_head(model: Classifier) -> list[str]:
    modules = [f"torch.nn.{module!r}" for module in model.head_modules()]
    if not isinstance(model, PlainClassifier):
        return [f"model.fc = {modules[0]}"]
    return [
        f"model.avgpool = torch.nn.AdaptiveAvgPool2d({model.architecture.head.grid})",
        f"model.classifier = torch.nn.Sequential({', '.join(modules)})",
    ]
