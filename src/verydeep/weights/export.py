"""Out again: a file that torchvision, timm or Keras loads, by the same key maps that read theirs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from verydeep.architecture import zoo
from verydeep.architecture.preprocess import CAFFE, IMAGENET, Preprocess
from verydeep.atomic_write import atomic_write
from verydeep.errors import CheckpointError
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.weights.key_maps import LAYOUTS, KeyMapRow, fully_connected
from verydeep.weights.read_keras import write_keras

Project = Literal["torchvision", "timm", "keras"]

_VGG = tuple(f"vgg{depth}{norm}" for norm in ("", "_bn") for depth in (11, 13, 16, 19))
_RESNET = tuple(f"resnet{depth}" for depth in (18, 34, 50, 101, 152))
NETWORKS: dict[Project, tuple[str, ...]] = {
    "torchvision": (*_VGG, "alexnet", *_RESNET),
    "timm": (*_VGG, *_RESNET),
    "keras": ("vgg16", "vgg19"),
}
"""The networks of ours that each project has too."""

SUFFIXES: dict[Project, tuple[str, ...]] = {
    "torchvision": (".pth", ".pt", ".safetensors"),
    "timm": (".safetensors", ".pth", ".bin"),
    "keras": (".h5",),
}
"""The kinds of file that can be written for each, the usual one first."""


@dataclass(frozen=True)
class Exported:
    """A file that was written for another project."""

    path: Path
    project: Project
    network: str
    tensors: int
    preprocess: Preprocess
    """What the network must be fed there."""
    how: str
    """The line of Python that loads it."""


def export_weights(network: Checkpoint, project: Project, path: Path | str) -> Exported:
    """Write the weights of ``network`` to ``path`` as ``project`` names and lays them out.

    torchvision and timm feed RGB: a network that sees BGR has its first convolution turned round for them.
    Where only the features are trained, only they are written.

    Raises:
        CheckpointError: where the project has no such network, or reads no such file.
    """
    path = Path(path)
    name = _name_there(network, project)
    _check_suffix(project, path)
    if project != "keras":
        network = in_rgb(network)
    tensors = _their_tensors(network, project)
    with atomic_write(path) as temporary:
        _write(path.suffix, temporary, tensors)
    how = _how(project, name, network, path)
    return Exported(path, project, name, len(tensors), network.preprocess, how)


def _name_there(network: Checkpoint, project: Project) -> str:
    """What the project calls the network.

    Raises:
        CheckpointError: where it has no network of these layers and this head.
    """
    ours = network.model.architecture
    for name in NETWORKS[project]:
        theirs = zoo.resolve(name)
        same_body = (theirs.layers, theirs.norm, theirs.conv_bias) == (ours.layers, ours.norm, ours.conv_bias)
        # Keras flattens the last map whatever its size, so its head has the grid of the images' size.
        head = replace(theirs.head, grid=ours.head.grid) if project == "keras" else theirs.head
        same_head = not network.classes or head == ours.head
        if project == "keras" and network.classes:  # and has no pool that would fit the map to the head
            same_head = same_head and ours.map_shape[1] == ours.head.grid
        colors = ours.input[0] == 3 or project != "torchvision"
        if same_body and same_head and colors:
            return name
    raise CheckpointError(
        f"{project} has no network {ours.string!r} with norm {ours.norm} for images of {ours.input[0]} "
        f"channels and {ours.input[1]} px; it has {', '.join(NETWORKS[project])} as they were published"
    )


def _check_suffix(project: Project, path: Path) -> None:
    if path.suffix not in SUFFIXES[project] or path.name.endswith(".weights.h5"):
        raise CheckpointError(
            f"{path} is no name for a file that {project} loads; end it in {' or '.join(SUFFIXES[project])}"
            + (", without .weights before it" if project == "keras" else "")
        )


def in_rgb(network: Checkpoint) -> Checkpoint:
    """The same network for images in RGB order: the first convolution's channels the other way round."""
    if network.preprocess.order == "rgb":
        return network
    model = build_empty(network.model.architecture)
    tensors = network.model.state_dict()
    stem = next(iter(tensors))
    model.load_state_dict(tensors | {stem: tensors[stem].flip(1)}, assign=True)
    seen = network.preprocess
    turned = replace(seen, order="rgb", mean=seen.mean[::-1], std=seen.std[::-1])
    return replace(network, model=model.eval(), preprocess=turned)


def _their_tensors(network: Checkpoint, project: Project) -> dict[str, Tensor]:
    (layout,) = (layout for layout in LAYOUTS if layout.name == project)
    # timm names a ResNet as torchvision does: it has rows of its own for VGG only.
    entries = layout.entries(network.model) or LAYOUTS[0].entries(network.model)
    ours = network.model.state_dict()
    return {
        entry.theirs: entry.form.there(ours[entry.ours].detach().cpu()).contiguous()
        for entry in entries
        if network.classes or not _is_head(network.model, entry)
    }


def _is_head(model: Classifier, entry: KeyMapRow) -> bool:
    return entry.ours.rpartition(".")[0] in fully_connected(model)


def _write(suffix: str, path: Path, tensors: dict[str, Tensor]) -> None:
    if suffix == ".h5":
        write_keras(path, tensors)
    elif suffix == ".safetensors":
        save_file(tensors, path, {"format": "pt"})
    else:
        torch.save(tensors, path)


def _how(project: Project, name: str, network: Checkpoint, path: Path) -> str:
    classes, (channels, size, _) = len(network.classes), network.model.architecture.input
    if project == "torchvision":
        strict = "" if classes else ", strict=False"
        made = (
            f"torchvision.models.{name}(num_classes={classes})" if classes else f"torchvision.models.{name}()"
        )
        loaded = f'torch.load("{path}")' if path.suffix != ".safetensors" else f'load_file("{path}")'
        return f"model = {made}; model.load_state_dict({loaded}{strict})"
    if project == "timm" and classes:
        settings = f"num_classes={classes}, in_chans={channels}"
        return f'model = timm.create_model("{name}", {settings}, checkpoint_path="{path}")'
    if project == "timm":
        return (
            f'model = timm.create_model("{name}"); model.load_state_dict(load_file("{path}"), strict=False)'
        )
    top = f"classes={classes}" if classes else "include_top=False"
    shape = f"({size}, {size}, {channels})"
    made = f"keras.applications.{name.upper()}(weights=None, {top}, input_shape={shape})"
    return f'model = {made}; model.load_weights("{path}")'


def keras_mode(preprocess: Preprocess) -> str | None:
    """The mode of Keras's ``preprocess_input`` that does the same to the values; None where none does."""
    for mode, theirs in (("caffe", CAFFE), ("torch", IMAGENET)):
        if replace(theirs, size=preprocess.size, resize=preprocess.resize) == preprocess:
            return mode
    return None
