"""What any layer of a network gives, by the name that the papers have for it.

conv3_3  the convolution, before norm and ReLU     conv2_1_1  the first convolution of the block ``conv2_1``
bn3_3    after the batch norm of ``conv3_3``       add2_1     the block's body and shortcut, before its ReLU
relu3_3  after its ReLU                            conv2_1    what the block gives
pool3    after the pool of the third stage         norm1      after local response normalization
fc6      a hidden layer; ``relu6``, ``drop6``      avgpool7   the grid that the head sees; ``gap`` in ResNet
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import derived_name, fc_names, grid_name, layer_names
from verydeep.architecture.layers import Head
from verydeep.errors import ArchitectureError
from verydeep.models.blocks import Images, Maps, ResidualBlock
from verydeep.models.classifier import Classifier, check_channels

IMAGES = "images"
"""The name of what goes in."""


@dataclass(frozen=True)
class FeatureStep:
    """A module with the name of what it gives, and the names of what it is given."""

    name: str
    module: nn.Module
    reads: tuple[str, ...]
    place: int
    """Of its layer in the architecture; what belongs to the head stands with the last layer."""


class FeatureExtractor(nn.Module):
    """The part of a network that gives the values at ``names``."""

    def __init__(
        self, architecture: Architecture, steps: Sequence[FeatureStep], names: tuple[str, ...]
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.names = names
        """What is given, in this order."""
        self.steps = nn.ModuleDict({step.name: step.module for step in steps})
        self.reads = {step.name: step.reads for step in steps}
        last_reader = {name: step.name for step in steps for name in step.reads}
        self.frees = {
            step.name: [
                name for name in step.reads if last_reader[name] == step.name and name not in (*names, IMAGES)
            ]
            for step in steps
        }
        """What no one needs after a step."""
        self.part = replace(
            architecture,
            name=f"{architecture.name} up to {steps[-1].name}",
            layers=architecture.layers[: steps[-1].place + 1],
            head=Head(),
        )
        """What the images must be large enough for."""

    def forward(self, images: Images) -> dict[str, Float[Tensor, "batch ..."]]:
        """The value at each name: (batch, channels, rows, columns), or (batch, units) in the head.

        Raises:
            ShapeError: where the images have other channels than the network, or are too small for it.
        """
        check_channels(self.architecture, images)
        self._check_size(images.shape[2], images.shape[3])
        values: dict[str, Tensor] = {IMAGES: images}
        for name, module in self.steps.items():
            inputs = [values[read] for read in self.reads[name]]
            # The networks' ReLU works in place: where its input is asked for, or read again, it must not.
            keeps = isinstance(module, nn.ReLU) and not self.frees[name]
            values[name] = functional.relu(inputs[0]) if keeps else module(*inputs)
            for read in self.frees[name]:
                del values[read]
        return {name: values[name] for name in self.names}

    def _check_size(self, height: int, width: int) -> None:
        _, least_height, least_width = self.part.input
        if height < least_height or width < least_width:
            self.part.with_input(self.part.input[0], (height, width))  # refuses what does not fit


def taps(model: Classifier, names: str | Sequence[str]) -> FeatureExtractor:
    """``model`` as a module that gives the values at ``names``, and computes nothing past the deepest.

    It shares the modules of the model: gradients reach its weights, training changes what it gives, and
    ``eval()`` and ``to(device)`` act on both. The images may have any size that the layers can take.

    Raises:
        ArchitectureError: where the network has no such layer, with the nearest names and all that it has.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    steps = list(steps_of(model))
    _check_names(model.architecture, names, [step.name for step in steps])
    return FeatureExtractor(model.architecture, _needed(steps, names), names)


def tap_names(model: Classifier) -> tuple[str, ...]:
    """Every name that ``taps`` takes for ``model``, in the order in which the values come about."""
    return tuple(step.name for step in steps_of(model))


def last_map_name(model: Classifier) -> str:
    """The name of the last map, which the head pools: ``pool5`` in VGG."""
    pool = grid_name(model.architecture)
    return next(step.reads[0] for step in steps_of(model) if step.name == pool)


def last_detailed_name(model: Classifier) -> str:
    """The name of the last map before a closing pool: ``relu5_3`` in VGG, the last map where none closes.

    What papers on heat maps call the last convolutional layer: the pool would halve what can be told apart.
    """
    steps = {step.name: step for step in steps_of(model)}
    last = steps[last_map_name(model)]
    before = steps.get(last.reads[0])
    closes = isinstance(last.module, nn.MaxPool2d) and before and not isinstance(before.module, nn.Conv2d)
    return before.name if closes and before else last.name


def steps_of(model: Classifier) -> Iterator[FeatureStep]:
    """The whole network, in the order in which it runs."""
    last, place = IMAGES, 0
    for name, module, place in _named_features(model):
        if isinstance(module, ResidualBlock):
            yield from _block_steps(name, module, last, place)
        else:
            yield FeatureStep(name, module, (last,), place)
        last = name
    for name, module in _named_head(model):
        yield FeatureStep(name, module, (last,), place)
        last = name


def _named_features(model: Classifier) -> Iterator[tuple[str, nn.Module, int]]:
    """Each module with its name and the place of its layer."""
    layers = enumerate(layer_names(model.architecture))
    place, conv = 0, ""
    for module in model.feature_modules():
        if isinstance(module, nn.BatchNorm2d):
            yield derived_name(conv, "bn"), module, place
        elif isinstance(module, nn.ReLU):
            yield derived_name(conv, "relu"), module, place
        else:
            place, name = next(layers)
            conv = name if isinstance(module, nn.Conv2d) else conv
            yield name, module, place


def _block_steps(block_name: str, block: ResidualBlock, given: str, place: int) -> Iterator[FeatureStep]:
    """The body, the projection if there is one, their sum, and the ReLU that gives the block its name."""
    body, number = given, 0
    for child in block.body:
        kind = child.rstrip("0123456789")  # conv, bn or relu
        number += kind == "conv"
        name = derived_name(f"{block_name}_{number}", kind)
        yield FeatureStep(name, block.get_submodule(child), (body,), place)
        body = name
    shortcut = given
    for kind, module in zip(("conv", "bn"), block.downsample or (), strict=False):
        name = derived_name(f"{block_name}_project", kind)
        yield FeatureStep(name, module, (shortcut,), place)
        shortcut = name
    total = derived_name(block_name, "add")
    yield FeatureStep(total, _Sum(), (body, shortcut), place)
    yield FeatureStep(block_name, block.relu, (total,), place)


class _Sum(nn.Module):
    def forward(self, maps: Maps, shortcut: Maps) -> Maps:
        return maps + shortcut


def _named_head(model: Classifier) -> Iterator[tuple[str, nn.Module]]:
    """The pool, then what follows it on flat values."""
    yield grid_name(model.architecture), model.pool
    left = list(fc_names(model.architecture))
    name = left[0]
    for place, module in enumerate(model.head_modules()):
        if isinstance(module, nn.Linear):
            kind, name = "fc", left.pop(0)
        else:
            kind = "relu" if isinstance(module, nn.ReLU) else "drop"
        about = left[0] if kind == "drop" and model.architecture.dropout_first else name
        yield derived_name(about, kind), module if place else nn.Sequential(nn.Flatten(), module)


def _needed(steps: Sequence[FeatureStep], names: Sequence[str]) -> list[FeatureStep]:
    """The steps without which the values at ``names`` cannot be had, in order."""
    wanted, needed = set(names), []
    for step in reversed(steps):
        if step.name in wanted:
            wanted |= set(step.reads)
            needed.append(step)
    return needed[::-1]


def _check_names(architecture: Architecture, names: Sequence[str], known: list[str]) -> None:
    shown = ", ".join(name for name in known if name.count("_") < 2)  # hundreds are inside blocks
    inside = next((f"; inside its blocks, such names as {name}" for name in known if name.count("_") > 1), "")
    if not names:
        raise ArchitectureError(f"no layer was named. {architecture.name} has {shown}{inside}")
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"Did you mean {' or '.join(near)}? " if near else ""
            raise ArchitectureError(
                f"{architecture.name} has no layer {name!r}. {hint}It has {shown}{inside}"
            )
