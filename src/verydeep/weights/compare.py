"""Compares one weight file with one network in one layout: is every tensor there, with the right shape?"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isqrt, prod

import torch

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Head
from verydeep.models.build import build_empty
from verydeep.models.classifier import Classifier
from verydeep.weight_files.read import Shapes, WeightFile
from verydeep.weight_files.tensor_layouts import SAME
from verydeep.weights.extra_tensors import harmless, inside
from verydeep.weights.key_maps import KeyMapRow, Layout, fully_connected
from verydeep.weights.other_heads import find_head


@dataclass(frozen=True)
class Match:
    """A network of which a file holds every tensor, with its head or without."""

    architecture: Architecture
    """With the classes, the head and the input channels of the file."""
    layout: Layout
    rows: tuple[KeyMapRow, ...]
    """The rows of the key map whose tensors are in the file."""
    missing: tuple[str, ...]
    """The keys, in the layout, that the file lacks: those of a head, or of counts of batches."""
    unexpected: tuple[str, ...]
    """The keys in the file that belong to no tensor of the network."""
    has_head: bool
    inside: tuple[str, ...] = ()
    """Those of ``unexpected`` that are named like tensors of the features: it is another network."""
    ignored: tuple[str, ...] = ()
    """The keys of counters, losses and metrics."""


@dataclass(frozen=True)
class PartialMatch:
    """A network of which a file holds only some tensors, or tensors of other shapes."""

    name: str
    layout: str
    missing: tuple[str, ...]
    wrong_shape: tuple[str, ...]
    unexpected: tuple[str, ...]
    has_features: bool
    """Whether only the head differs."""


empty_model = lru_cache(maxsize=16)(build_empty)
"""The network without memory; cached, as ResNet-152 takes 0.3 s to build even so."""


def compare(
    file: WeightFile, model: Classifier, layout: Layout, *, features_only: bool
) -> Match | PartialMatch | None:
    """Compare ``file`` with ``model``, changed to the input channels and the head (if any) of the file.

    None where the file lacks the key of any tensor of the features.
    """
    rows = layout.key_map(model)
    if not _has_feature_keys(file, model, rows):
        return None
    has_head = not features_only and _has_head(file, model, rows)
    architecture = _with_input_channels(model, rows, file.shapes)
    if has_head:
        architecture = _with_head(architecture, model, rows, file.shapes)
    return _compare_keys(file, empty_model(architecture), layout, has_head, features_only)


def compare_with_other_head(file: WeightFile, model: Classifier, layout: Layout) -> Match | None:
    """The match of a file that has the features of ``model`` and a head under other names, or None."""
    shapes = file.shapes
    all_rows = layout.key_map(model)
    if not _has_feature_keys(file, model, all_rows):
        return None
    rows = _feature_rows(model, all_rows)
    remaining = [key for key in shapes if key not in {row.file_key for row in rows}]
    ignored = harmless(file.tensors, remaining)
    architecture = _with_input_channels(model, rows, shapes)
    found = find_head(shapes, (key for key in remaining if key not in ignored), architecture.map_shape[0])
    if found is None:
        return None
    changed = empty_model(_replace_head(architecture, found.head, found.classes))
    # A head with hidden layers changes the names of ResNet's features here, and not their order.
    names = [row.key for row in _feature_rows(changed, (KeyMapRow(key, key) for key in changed.state_dict()))]
    expected = [replace(row, key=name) for row, name in zip(rows, names, strict=True)]
    present = [row for row in expected if row.file_key in shapes]
    if any(shapes[key] != shape for key, shape in _shapes_in_file(changed, present).items()):
        return None
    missing = tuple(row.file_key for row in expected if row.file_key not in shapes)
    matched = (*present, *found.rows(fully_connected(changed)))
    return Match(changed.architecture, layout, matched, missing, (), True, ignored=ignored)


def _has_feature_keys(file: WeightFile, model: Classifier, rows: tuple[KeyMapRow, ...]) -> bool:
    required = [row.file_key for row in _feature_rows(model, rows) if not row.is_optional]
    return bool(required) and all(key in file.shapes for key in required)


def _feature_rows(model: Classifier, rows: Iterable[KeyMapRow]) -> tuple[KeyMapRow, ...]:
    head = tuple(f"{layer}." for layer in fully_connected(model))
    return tuple(row for row in rows if not row.key.startswith(head))


def _has_head(file: WeightFile, model: Classifier, rows: tuple[KeyMapRow, ...]) -> bool:
    """Whether the file has any tensor of the head that holds a number."""
    head_rows = rows[len(_feature_rows(model, rows)) :]  # the head comes last in every layout
    tensors = [file.tensors[row.file_key] for row in head_rows if row.file_key in file.tensors]
    return not all(tensor.is_floating_point() and _is_all_nan(tensor) for tensor in tensors)


def _is_all_nan(tensor: torch.Tensor) -> bool:
    if not tensor.numel():
        return True  # a layer of no classes
    first = tensor[(0,) * tensor.ndim]  # saves the check of all 103 million values of fc6
    return bool(first.isnan()) and bool(tensor.isnan().all())


def _with_input_channels(model: Classifier, rows: tuple[KeyMapRow, ...], shapes: Shapes) -> Architecture:
    """The architecture with as many input channels as the first convolution of the file."""
    stem = rows[0]
    shape = shapes[stem.file_key]
    if len(shape) != 4:
        return model.architecture
    channels = stem.tensor_layout.from_file(torch.empty(shape, device="meta")).shape[1]
    return replace(model.architecture, input=(max(1, channels), *model.architecture.input[1:]))


def _with_head(
    architecture: Architecture, model: Classifier, rows: tuple[KeyMapRow, ...], shapes: Shapes
) -> Architecture:
    """The architecture with the grid, hidden widths and classes of the file, where its shapes show them."""
    by_key = {row.key: row for row in rows}
    layers = [by_key[f"{layer}.weight"] for layer in fully_connected(model)]
    weights = [shapes[row.file_key] for row in layers if row.file_key in shapes]
    if len(weights) != len(layers) or any(len(shape) not in (2, 4) or 0 in shape for shape in weights):
        return architecture
    outputs_first = layers[-1].tensor_layout == SAME
    outputs = [shape[0] if outputs_first else shape[-1] for shape in weights]
    grid = isqrt(prod(weights[0]) // outputs[0] // architecture.map_shape[0])
    return _replace_head(architecture, Head(max(1, grid), tuple(outputs[:-1])), outputs[-1])


def _replace_head(architecture: Architecture, head: Head, classes: int) -> Architecture:
    """The architecture with this head, for images that give its last map; another head is another name."""
    changed = replace(architecture, head=head, classes=classes)
    if head == architecture.head:
        return changed
    # The file shows the side of the last map, not of the images: the smallest images with that map are used.
    side = architecture.map_shape[1]
    input_channels, size, _ = architecture.input
    size = size if head.grid == architecture.head.grid else head.grid * (size // side)
    return replace(changed, name=changed.string, input=(input_channels, size, size))


def _compare_keys(
    file: WeightFile, model: Classifier, layout: Layout, has_head: bool, features_only: bool
) -> Match | PartialMatch:
    shapes = file.shapes
    rows = layout.key_map(model)
    expected = rows if has_head else _feature_rows(model, rows)
    present = tuple(row for row in expected if row.file_key in shapes)
    missing = tuple(row.file_key for row in expected if row.file_key not in shapes)
    wrong_shape = tuple(key for key, shape in _shapes_in_file(model, present).items() if shapes[key] != shape)
    if wrong_shape or any(row.file_key not in shapes and not row.is_optional for row in expected):
        unexpected = tuple(sorted(shapes.keys() - {row.file_key for row in rows}))
        in_trunk = {row.file_key for row in _feature_rows(model, rows) if not row.is_optional}
        has_features = not in_trunk & {*missing, *wrong_shape}
        return PartialMatch(
            model.architecture.name, layout.name, missing, wrong_shape, unexpected, has_features
        )
    head_keys = [row.file_key for row in rows[len(expected) :]]
    nan_head = set() if features_only else set(head_keys)
    extra = sorted(shapes.keys() - {row.file_key for row in present} - nan_head)
    ignored = harmless(file.tensors, extra)
    unexpected = tuple(key for key in extra if key not in ignored)
    return Match(
        model.architecture,
        layout,
        present,
        (*missing, *head_keys),
        unexpected,
        has_head,
        inside((row.file_key for row in _feature_rows(model, rows)), unexpected),
        ignored,
    )


def _shapes_in_file(model: Classifier, rows: Iterable[KeyMapRow]) -> Shapes:
    """The shape that each tensor of the network has in the layout."""
    tensors = model.state_dict()
    return {row.file_key: tuple(row.tensor_layout.to_file(tensors[row.key]).shape) for row in rows}
