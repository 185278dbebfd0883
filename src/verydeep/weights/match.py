"""Which network a weight file holds, in which layout: told by names and shapes alone."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import isqrt, prod

import torch

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Conv, Head, Residual
from verydeep.models.build import build_empty
from verydeep.models.classifier import Classifier
from verydeep.weights.key_maps import LAYOUTS, SAME, KeyMapRow, Layout, fully_connected
from verydeep.weights.read import WeightFile

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Match:
    """A network of which a file has every tensor: with its head, or of its features."""

    architecture: Architecture
    """The file's own: its classes, its head and its number of colors."""
    layout: Layout
    entries: tuple[KeyMapRow, ...]
    """The rows of the key map that the file has."""
    missing: tuple[str, ...]
    """The names, in the layout, of what the network has and the file lacks: a head, or counts of batches."""
    left_over: tuple[str, ...]
    """The names in the file that belong to no tensor of the network."""
    has_head: bool


@dataclass(frozen=True)
class Near:
    """The network that a file comes nearest to, and what keeps it from being that."""

    name: str
    layout: str
    missing: tuple[str, ...]
    of_another_shape: tuple[str, ...]
    left_over: tuple[str, ...]


def match_network(
    file: WeightFile, among: Iterable[Architecture] = (), *, features_only: bool = False
) -> Match | Near | None:
    """The network of the zoo, or the one of ``among``, that ``file`` holds; else the nearest, or None.

    A head of another depth, width or grid than the zoo's is taken as it is. Where a file has no head, or one
    that is all NaN (torchvision's features), or ``features_only`` asks for it, the match is of the features.
    """
    shapes = {name: tuple(value.shape) for name, value in file.tensors.items()}
    asked = list(among)
    found = list(_comparisons(file, asked or _candidates(shapes), shapes, features_only))
    matches = [comparison for comparison in found if isinstance(comparison, Match)]
    if matches:  # VGG16 in Keras's names is part of VGG19: what leaves the least over is meant
        return min(matches, key=lambda match: len(match.left_over))
    nears = [comparison for comparison in found if isinstance(comparison, Near)]
    nears = nears or list(_by_names(asked or _likely(shapes), shapes))
    return min(nears, key=_distance, default=None)


def _distance(near: Near) -> int:
    return len(near.missing) + len(near.of_another_shape) + len(near.left_over)


def _comparisons(
    file: WeightFile, candidates: Iterable[Architecture], shapes: Shapes, features_only: bool
) -> Iterator[Match | Near]:
    """The file against each candidate and layout whose features it names; none after one that fits wholly."""
    for architecture in candidates:
        for variant in _with_depth(architecture, shapes):
            empty = _empty(variant)
            for layout in LAYOUTS:
                entries = layout.entries(empty)
                if not _has_features(empty, entries, shapes):
                    continue
                compared = _compare(file, empty, layout, shapes, features_only)
                yield compared
                if isinstance(compared, Match) and not compared.left_over:
                    return


_empty = lru_cache(maxsize=16)(build_empty)
"""The network without memory, only to be looked at: ResNet-152 takes 0.3 s to build even so."""


def _candidates(shapes: Shapes) -> list[Architecture]:
    """The networks of the zoo all of whose convolutions but the first the file has, by number of weights.

    That number is the same in every layout, and costs no building. The deepest come first, as a file of
    VGG19 has all that VGG16 needs.
    """
    sizes = _four_dimensional(shapes)
    found = [name for name in zoo.names() if not _conv_sizes(name) - sizes]
    return [zoo.resolve(name) for name in sorted(found, key=lambda name: -_conv_sizes(name).total())]


def _likely(shapes: Shapes) -> list[Architecture]:
    """The three networks of the zoo whose convolutions are most like the file's."""
    sizes = _four_dimensional(shapes)

    def unlike(name: str) -> int:
        return (_conv_sizes(name) - sizes).total() + (sizes - _conv_sizes(name)).total()

    return [zoo.resolve(name) for name in sorted(zoo.names(), key=unlike)[:3]]


def _four_dimensional(shapes: Shapes) -> Counter[int]:
    return Counter(prod(shape) for shape in shapes.values() if len(shape) == 4)


@cache
def _conv_sizes(name: str) -> Counter[int]:
    """How many convolutions of the network have so many weights; the first left out, whose colors vary."""
    architecture = zoo.resolve(name)
    shape, sizes = architecture.input, list[int]()
    for layer in architecture.layers:
        convs: tuple[Conv, ...] = ()
        if isinstance(layer, Conv):
            convs = (layer,)
        elif isinstance(layer, Residual):
            convs = layer.convs
            if projection := layer.projection(shape):
                sizes.append(_conv_size(projection, shape[0]))
        channels = shape[0]
        for conv in convs:
            sizes.append(_conv_size(conv, channels))
            channels = conv.channels
        shape = layer.output(shape)
    return Counter(sizes[1:])


def _conv_size(conv: Conv, channels: int) -> int:
    return conv.channels * channels // conv.groups * conv.kernel**2


def _with_depth(architecture: Architecture, shapes: Shapes) -> Iterator[Architecture]:
    """The architecture, and one with as many hidden layers as the file's number of matrices speaks for."""
    yield architecture
    depth = sum(len(shape) == 2 for shape in shapes.values()) - 1
    if 0 <= depth != len(architecture.head.hidden) and depth < 10:
        yield replace(architecture, head=Head(architecture.head.grid, (1,) * depth))


def _has_features(model: Classifier, entries: tuple[KeyMapRow, ...], shapes: Shapes) -> bool:
    features = [entry for entry in _features(model, entries) if not entry.is_optional]
    return bool(features) and all(entry.theirs in shapes for entry in features)


def _features(model: Classifier, entries: Iterable[KeyMapRow]) -> tuple[KeyMapRow, ...]:
    head = tuple(f"{layer}." for layer in fully_connected(model))
    return tuple(entry for entry in entries if not entry.ours.startswith(head))


def _compare(
    file: WeightFile, empty: Classifier, layout: Layout, shapes: Shapes, features_only: bool
) -> Match | Near:
    """How the file compares with ``empty`` once that has the file's colors and, if it has one, its head."""
    entries = layout.entries(empty)
    has_head = not features_only and _has_head(file, empty, entries)
    architecture = _with_colors(empty, entries, shapes)
    if has_head:
        architecture = _with_head(architecture, empty, entries, shapes)
    model = _empty(architecture)
    entries = layout.entries(model)
    wanted = entries if has_head else _features(model, entries)
    present = tuple(entry for entry in wanted if entry.theirs in shapes)
    wrong = tuple(name for name, shape in _expected(model, present).items() if shapes[name] != shape)
    lacking = tuple(entry.theirs for entry in wanted if entry.theirs not in shapes)
    if wrong or any(entry.theirs not in shapes and not entry.is_optional for entry in wanted):
        left_over = tuple(sorted(shapes.keys() - {entry.theirs for entry in entries}))
        return Near(architecture.name, layout.name, lacking, wrong, left_over)
    head = [entry.theirs for entry in entries[len(wanted) :]]  # the head comes last in every layout
    empty_head = set() if features_only else set(head)
    left_over = tuple(sorted(shapes.keys() - {entry.theirs for entry in present} - empty_head))
    return Match(architecture, layout, present, (*lacking, *head), left_over, has_head)


def _has_head(file: WeightFile, model: Classifier, entries: tuple[KeyMapRow, ...]) -> bool:
    """Whether the file has any tensor of the head that holds a number."""
    features = _features(model, entries)
    head = [entry.theirs for entry in entries[len(features) :]]
    tensors = [file.tensors[name] for name in head if name in file.tensors]
    return not all(tensor.is_floating_point() and _is_all_nan(tensor) for tensor in tensors)


def _is_all_nan(tensor: torch.Tensor) -> bool:
    first = tensor[(0,) * tensor.ndim]  # one look spares one at each of fc6's 103 million
    return bool(first.isnan()) and bool(tensor.isnan().all())


def _with_colors(model: Classifier, entries: tuple[KeyMapRow, ...], shapes: Shapes) -> Architecture:
    """The architecture with as many input channels as the file's first convolution has."""
    stem = entries[0]
    shape = shapes[stem.theirs]
    if len(shape) != 4:
        return model.architecture
    channels = stem.form.here(torch.empty(shape, device="meta")).shape[1]
    return replace(model.architecture, input=(max(1, channels), *model.architecture.input[1:]))


def _with_head(
    architecture: Architecture, model: Classifier, entries: tuple[KeyMapRow, ...], shapes: Shapes
) -> Architecture:
    """The architecture with the file's grid, hidden widths and classes, where they can be read."""
    rows = {entry.ours: entry for entry in entries}
    layers = [rows[f"{layer}.weight"] for layer in fully_connected(model)]
    weights = [shapes[row.theirs] for row in layers if row.theirs in shapes]
    if len(weights) != len(layers) or any(len(shape) not in (2, 4) or 0 in shape for shape in weights):
        return architecture
    outputs_first = layers[-1].form == SAME
    outputs = [shape[0] if outputs_first else shape[-1] for shape in weights]
    channels, side, _ = architecture.map_shape
    grid = isqrt(prod(weights[0]) // outputs[0] // channels)
    head = Head(max(1, grid), tuple(outputs[:-1]))
    changed = replace(architecture, head=head, classes=outputs[-1])
    if head == architecture.head:
        return changed
    # A file tells the side of the last map and not that of the images: the least that gives it.
    colors, size, _ = architecture.input
    size = size if head.grid == architecture.head.grid else head.grid * (size // side)
    return replace(changed, name=changed.string, input=(colors, size, size))


def _expected(model: Classifier, entries: tuple[KeyMapRow, ...]) -> Shapes:
    """The shape that each tensor of the network has in the layout."""
    ours = model.state_dict()
    return {entry.theirs: tuple(entry.form.there(ours[entry.ours]).shape) for entry in entries}


def _by_names(candidates: Iterable[Architecture], shapes: Shapes) -> Iterator[Near]:
    """Each candidate and layout of which the file has any name."""
    for architecture in candidates:
        model = build_empty(architecture)
        for layout in LAYOUTS:
            names = [entry.theirs for entry in layout.entries(model) if not entry.is_optional]
            if shapes.keys() & set(names):
                missing = tuple(name for name in names if name not in shapes)
                yield Near(
                    architecture.name, layout.name, missing, (), tuple(sorted(shapes.keys() - set(names)))
                )
