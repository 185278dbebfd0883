"""Export weights to a file that torchvision, timm or Keras loads, with the key maps that also read them."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from verydeep.architecture import zoo
from verydeep.architecture.preprocess import CAFFE, IMAGENET, Preprocess
from verydeep.atomic_write import atomic_write
from verydeep.errors import CheckpointError
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier, PlainClassifier
from verydeep.weight_files.write_keras import write_keras
from verydeep.weights.key_maps import LAYOUTS, KeyMapRow, fully_connected
from verydeep.weights.projects import NETWORKS, SUFFIXES, Project
from verydeep.weights.transfer_code import (
    base_network,
    has_gap_head,
    keras_code,
    load_lines,
    python_text,
    timm_code,
    torchvision_code,
)


@dataclass(frozen=True)
class Exported:
    """The exported file, and how to use it in the other project."""

    path: Path
    project: Project
    network: str
    tensors: int
    preprocess: Preprocess
    """The preprocessing that the exported weights need."""
    load_code: str
    """The Python code that loads the file."""
    classes: tuple[str, ...] = ()
    """Their names, in the order of the logits; the files of other projects do not hold them."""
    temperature: float | None = None
    """Logits divided by it give calibrated probabilities; None where none was fitted."""


def export_weights(network: Checkpoint, project: Project, path: Path | str) -> Exported:
    """Write the weights of ``network`` to ``path`` with the keys and layout of ``project``.

    torchvision and timm use RGB images: for them, the first convolution of a BGR network is converted to RGB.
    Of a network without a head, the features alone are written. A network with the first layers of one of the
    project's and a head of its own, such as a tuned one, is rebuilt by ``load_code``.

    Raises:
        CheckpointError: where the project has no such network to start from, or does not read such a file.
    """
    path = Path(path)
    _check_suffix(project, path)
    name = _name_in_project(network, project)
    is_changed = name is None
    if name is None:
        name = _base_in_project(network, project)
    if project != "keras":
        network = in_rgb(network)
    tensors = _exported_tensors(network, project)
    with atomic_write(path) as temporary:
        _write(path.suffix, temporary, tensors)
    load_code = (_transfer_code if is_changed else _load_code)(project, name, network, path)
    return Exported(
        path, project, name, len(tensors), network.preprocess, load_code, network.classes,
        network.temperature if network.is_calibrated else None,
    )  # fmt: skip


def _name_in_project(network: Checkpoint, project: Project) -> str | None:
    """The name of the network in the project; None if it has none with these layers and this head."""
    exported = network.model.architecture
    for name in NETWORKS[project]:
        published = zoo.resolve(name)
        same_features = (published.layers, published.norm, published.conv_bias) == (
            exported.layers,
            exported.norm,
            exported.conv_bias,
        )
        # Keras flattens the last map without a pool: the grid of its head must be the size of the map.
        head = replace(published.head, grid=exported.head.grid) if project == "keras" else published.head
        same_head = not network.classes or head == exported.head
        if project == "keras" and network.classes:
            same_head = same_head and exported.map_shape[1] == exported.head.grid
        channels_fit = exported.input[0] == 3 or project != "torchvision"
        if same_features and same_head and channels_fit:
            return name
    return None


def _base_in_project(network: Checkpoint, project: Project) -> str:
    """The network of the project that begins with the layers of ``network``.

    Raises:
        CheckpointError: where there is none, or the head cannot be written for the project.
    """
    exported = network.model.architecture
    # Only torchvision's lines state the hidden layers of a head; Keras has no pool to a grid.
    fits_head = has_gap_head(exported) or (project == "torchvision")
    has_classes = bool(network.classes) or project != "keras"
    name = base_network(exported, NETWORKS[project]) if fits_head and has_classes else None
    if name is None:
        head = "" if fits_head else "; of another head than `| gap`, only torchvision's form can be written"
        raise CheckpointError(
            f"{project} has no network {exported.string!r} with norm {exported.norm} for images of "
            f"{exported.input[0]} channels and {exported.input[1]} px. Export one of "
            f"{', '.join(NETWORKS[project])}, or one with their first layers{head}"
        )
    return name


def _check_suffix(project: Project, path: Path) -> None:
    if path.suffix not in SUFFIXES[project] or path.name.endswith(".weights.h5"):
        raise CheckpointError(
            f"{path} is not a file name that {project} loads. Use the suffix "
            f"{' or '.join(SUFFIXES[project])}" + (", not .weights.h5" if project == "keras" else "")
        )


def in_rgb(network: Checkpoint) -> Checkpoint:
    """The same network for RGB images: the input channels of the first convolution are reversed."""
    if network.preprocess.order == "rgb":
        return network
    model = build_empty(network.model.architecture)
    tensors = network.model.state_dict()
    stem = next(iter(tensors))
    model.load_state_dict(tensors | {stem: tensors[stem].flip(1)}, assign=True)
    bgr = network.preprocess
    rgb = replace(bgr, order="rgb", mean=bgr.mean[::-1], std=bgr.std[::-1])
    return replace(network, model=model.eval(), preprocess=rgb)


def _exported_tensors(network: Checkpoint, project: Project) -> dict[str, Tensor]:
    (layout,) = (layout for layout in LAYOUTS if layout.name == project)
    # timm has the same keys as torchvision for a ResNet; its own key map is for VGG alone.
    rows = layout.key_map(network.model) or LAYOUTS[0].key_map(network.model)
    tensors = network.model.state_dict()
    has_hidden = bool(network.model.architecture.head.hidden)
    is_pooled = project == "timm" and isinstance(network.model, PlainClassifier) and not has_hidden
    return {
        _pooled_key(row) if is_pooled else row.file_key: row.tensor_layout.to_file(
            tensors[row.key].detach().cpu()
        ).contiguous()
        for row in rows
        if network.classes or not _is_head(network.model, row)
    }


def _pooled_key(row: KeyMapRow) -> str:
    """Timm's key in a VGG whose classes follow the pool: ``head.fc`` in place of ``classifier.0``."""
    return row.file_key.replace("classifier.0.", "head.fc.", 1)


def _is_head(model: Classifier, row: KeyMapRow) -> bool:
    return row.key.rpartition(".")[0] in fully_connected(model)


def _write(suffix: str, path: Path, tensors: dict[str, Tensor]) -> None:
    if suffix == ".h5":
        write_keras(path, tensors)
    elif suffix == ".safetensors":
        save_file(tensors, path, {"format": "pt"})
    else:
        torch.save(tensors, path)


def _transfer_code(project: Project, name: str, network: Checkpoint, path: Path) -> str:
    code = {"torchvision": torchvision_code, "timm": timm_code, "keras": keras_code}[project]
    return code(network, name, path)


def _load_code(project: Project, name: str, network: Checkpoint, path: Path) -> str:
    """Python code that builds the network of this name, and loads its weights."""
    classes, (channels, size, _) = len(network.classes), network.model.architecture.input
    if project == "keras":
        top = f"classes={classes}, classifier_activation=None" if classes else "include_top=False"
        model = (
            f"keras.applications.{name.upper()}(weights=None, {top}, input_shape={(size, size, channels)})"
        )
        return f"import keras\nmodel = {model}\nmodel.load_weights({python_text(path)})"
    count = f"num_classes={classes}" if classes else ""
    if project == "torchvision":
        lines = ["import torch, torchvision", f"model = torchvision.models.{name}({count})"]
    else:
        settings = ", ".join(filter(None, (f'"{name}"', count, f"in_chans={channels}")))
        lines = ["import timm, torch", f"model = timm.create_model({settings})"]
    return "\n".join([*lines, *load_lines(network, path)])


def keras_mode(preprocess: Preprocess) -> str | None:
    """The mode of Keras's ``preprocess_input`` that normalizes in the same way; None where none does."""
    for mode, keras_preprocess in (("caffe", CAFFE), ("torch", IMAGENET)):
        same_input = replace(
            keras_preprocess, size=preprocess.size, resize=preprocess.resize, fit=preprocess.fit
        )
        if same_input == preprocess:
            return mode
    return None
