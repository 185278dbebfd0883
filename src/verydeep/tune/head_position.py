"""The position of the classifier head: where features predict best, at the end of the network or a stage
below.

The last stage of a network is specialized to what it was trained on: how well its layers transfer falls
toward the end where the tasks differ (Yosinski et al. 2014, section 4.2). One pass gives the features of both
positions, cross-validation chooses, and a lower position makes a smaller network.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import torch
from jaxtyping import Float
from torch import Tensor, nn

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import stage_starts
from verydeep.architecture.layers import MaxPool
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.feature_steps import last_map_name
from verydeep.models.stages import split_at_stage
from verydeep.train.start.pretrained import last_layer, shortened, up_to_layer
from verydeep.tune.feature_cache import Extract, head_inputs
from verydeep.tune.linear_probe import LinearProbe


@dataclass(frozen=True)
class HeadPosition:
    """A network that ends after some layer."""

    network: Checkpoint
    """Its last layer is not trained yet."""
    columns: slice
    """The features of the layer among those that are extracted."""

    @property
    def layer(self) -> str:
        """The layer that the head follows, such as ``relu4_3``."""
        return last_map_name(self.network.model)


def head_positions(network: Checkpoint, head: str) -> tuple[tuple[HeadPosition, ...], Extract]:
    """The positions to compare, and the function that extracts the features of all of them in one pass.

    Args:
        network: the whole network. All positions share its tensors.
        head: auto gives both positions, the end first; gap and whole the end; a layer that one.

    Raises:
        RecipeError: where the network has no such layer.
    """
    positions = _end_and_below(network)
    if head in ("gap", "whole"):
        return positions[:1], head_inputs
    extract = both_positions if len(positions) > 1 else head_inputs
    if head == "auto":
        return positions, extract
    # A layer that auto has chosen reads the features that auto has cached.
    if chosen := tuple(position for position in positions if position.layer == head):
        return chosen, extract
    model = shortened(network.model, up_to_layer(network.model, head))
    return (HeadPosition(replace(network, model=model), slice(None)),), head_inputs


def _end_and_below(network: Checkpoint) -> tuple[HeadPosition, ...]:
    values = last_layer(network.model).in_features
    end = HeadPosition(network, slice(0, values))
    architecture = without_last_stage(network.model.architecture)
    if architecture is None:
        return (end,)
    below = replace(network, model=shortened(network.model, architecture))
    return end, HeadPosition(below, slice(values, values + architecture.map_shape[0]))


def without_last_stage(architecture: Architecture) -> Architecture | None:
    """``architecture`` without its last stage and the pool before it; None where it has one stage."""
    *others, last = stage_starts(architecture)
    if not others:
        return None
    is_after_pool = isinstance(architecture.layers[last - 1], MaxPool)
    has_norm = last - 1 in architecture.norms_after_pool
    layers = architecture.layers[: last - 1 if is_after_pool and not has_norm else last]
    return replace(architecture, layers=layers)


def both_positions(
    model: Classifier, images: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch values"]:
    """The pooled feature maps at the end of ``model``, then those a stage below (``without_last_stage``)."""
    lower, last_stage = split_at_stage(model, 1)
    *modules, last = lower
    is_pool = isinstance(last, nn.MaxPool2d)
    middle = nn.Sequential(*(modules if is_pool else lower))(images)
    maps = last_stage.stages[0](last(middle) if is_pool else middle)
    return torch.cat([model.pool(maps).flatten(1), middle.mean((2, 3))], 1)


def best_position(
    positions: tuple[HeadPosition, ...], fit: Callable[[HeadPosition], LinearProbe]
) -> tuple[HeadPosition, LinearProbe, str]:
    """The position whose linear probe has the lowest loss in cross-validation, that probe, and the reason.

    Args:
        positions: the end of the network first; it is taken where cross-validation was impossible.
        fit: the linear probe at a position.
    """
    probes = [(position, fit(position)) for position in positions]
    position, probe = min(probes, key=lambda each: _loss(each[1]))
    if len(positions) == 1:
        return position, probe, f"after {position.layer}, as given"
    if _loss(probe) == inf:
        return position, probe, f"after {position.layer}, the end of the network"
    losses = ", ".join(f"{_loss(probe):.3f} after {position.layer}" for position, probe in probes)
    validation = replace(probe.validation, seconds=sum(each.validation.seconds for _, each in probes))
    reason = f"after {position.layer}, by the loss in cross-validation: {losses}"
    return position, replace(probe, validation=validation), reason


def _loss(probe: LinearProbe) -> float:
    return min((point.loss for point in probe.validation.curve), default=inf)
