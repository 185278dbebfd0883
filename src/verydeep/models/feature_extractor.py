"""Feature extraction: a network as a module that returns intermediate features, by layer name."""

import difflib
from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Head
from verydeep.errors import ArchitectureError
from verydeep.models.blocks import Images
from verydeep.models.classifier import Classifier, check_channels
from verydeep.models.feature_steps import IMAGES, FeatureStep, feature_steps


class FeatureExtractor(nn.Module):
    """The part of a network that computes the intermediate features ``names``."""

    def __init__(
        self, architecture: Architecture, steps: Sequence[FeatureStep], names: tuple[str, ...]
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.names = names
        """The names of the outputs, in this order."""
        self.steps = nn.ModuleDict({step.name: step.module for step in steps})
        self.inputs = {step.name: step.inputs for step in steps}
        last_use = {name: step.name for step in steps for name in step.inputs}
        self.unused = {
            step.name: [
                name for name in step.inputs if last_use[name] == step.name and name not in (*names, IMAGES)
            ]
            for step in steps
        }
        """The values that are not needed after a step."""
        self.truncated = replace(
            architecture,
            name=f"{architecture.name} up to {steps[-1].name}",
            layers=architecture.layers[: steps[-1].layer_index + 1],
            head=Head(),
        )
        """The layers that run, which decide how small the images may be."""

    def forward(self, images: Images) -> dict[str, Float[Tensor, "batch ..."]]:
        """The features by name: (batch, channels, rows, columns), or (batch, units) in the head.

        Raises:
            ShapeError: where the images have other channels than the network, or are too small for it.
        """
        check_channels(self.architecture, images)
        self._check_size(images.shape[2], images.shape[3])
        values: dict[str, Tensor] = {IMAGES: images}
        for name, module in self.steps.items():
            inputs = [values[input_name] for input_name in self.inputs[name]]
            # The networks' ReLU works in place, which is wrong where its input is an output or is used again.
            keeps_input = isinstance(module, nn.ReLU) and not self.unused[name]
            values[name] = functional.relu(inputs[0]) if keeps_input else module(*inputs)
            for unused in self.unused[name]:
                del values[unused]
        return {name: values[name] for name in self.names}

    def _check_size(self, height: int, width: int) -> None:
        _, own_height, own_width = self.truncated.input
        if height < own_height or width < own_width:
            self.truncated.with_input(self.truncated.input[0], (height, width))  # raises if it is too small


def taps(model: Classifier, names: str | Sequence[str]) -> FeatureExtractor:
    """A feature extractor: ``model`` as a module that returns the intermediate features ``names``.

    Layers after the deepest of them do not run. It shares the modules of the model: gradients reach its
    weights, training changes the features, and ``eval()`` and ``to(device)`` apply to both. Images may have
    any size that is large enough for the layers.

    Raises:
        ArchitectureError: where the network has no such layer, with similar names and all names.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    steps = list(feature_steps(model))
    _check_names(model.architecture, names, [step.name for step in steps])
    return FeatureExtractor(model.architecture, _needed(steps, names), names)


def _needed(steps: Sequence[FeatureStep], names: Sequence[str]) -> list[FeatureStep]:
    """The steps that the features ``names`` depend on, in order."""
    required, needed = set(names), []
    for step in reversed(steps):
        if step.name in required:
            required |= set(step.inputs)
            needed.append(step)
    return needed[::-1]


def _check_names(architecture: Architecture, names: Sequence[str], known: list[str]) -> None:
    listed = ", ".join(name for name in known if name.count("_") < 2)  # hundreds are inside blocks
    inside = next((f"; inside its blocks, names such as {name}" for name in known if name.count("_") > 1), "")
    if not names:
        raise ArchitectureError(f"no layer was given. {architecture.name} has {listed}{inside}")
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"Did you mean {' or '.join(near)}? " if near else ""
            raise ArchitectureError(
                f"{architecture.name} has no layer {name!r}. {hint}It has {listed}{inside}"
            )
