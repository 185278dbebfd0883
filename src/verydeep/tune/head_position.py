"""How deep to look: the head sits where features tell most, at the end of the network or a stage below.

The last stage of a network knows most of what it was trained on, and not always most of other images: how
well layers transfer falls toward the end where the tasks are unlike (Yosinski et al. 2014, section 4.2).
One pass gives both features, images held out say which are better, and a shorter network is a shorter line.
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
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.feature_steps import last_map_name
from verydeep.models.stages import split_at_stage
from verydeep.tune.backbone import last_layer, rebuilt
from verydeep.tune.feature_cache import Extract, head_inputs
from verydeep.tune.linear_probe import LearntHead


@dataclass(frozen=True)
class End:
    """A place for the head."""

    network: Checkpoint
    """That ends there, its last layer still to learn."""
    columns: slice
    """Where its features stand in what `extract_for` gives."""

    @property
    def layer(self) -> str:
        """The layer whose maps the head sees, such as ``relu4_3``."""
        return last_map_name(self.network.model)


def ends_of(network: Checkpoint, *, whole: bool) -> tuple[End, ...]:
    """The places for a head on ``network``: its end and, unless that is asked for, a stage below.

    The networks share their tensors.
    """
    values = last_layer(network.model).in_features
    end = End(network, slice(0, values))
    shorter = None if whole else shallower(network.model.architecture)
    if shorter is None:
        return (end,)
    below = replace(network, model=_shortened(network.model, shorter))
    return end, End(below, slice(values, values + shorter.map_shape[0]))


def shallower(architecture: Architecture) -> Architecture | None:
    """``architecture`` without its last stage and the pool before it; None where it has one stage."""
    *others, last = stage_starts(architecture)
    if not others:
        return None
    closes = isinstance(architecture.layers[last - 1], MaxPool)
    is_bare = last - 1 not in architecture.norms_after_pool  # else the pool has a norm behind it
    return replace(architecture, layers=architecture.layers[: last - 1 if closes and is_bare else last])


def _shortened(model: Classifier, architecture: Architecture) -> Classifier:
    """The network of ``architecture`` on as many of the model's layers; its last layer is zero."""
    empty, tensors = build_empty(architecture), model.state_dict(keep_vars=True)
    state = {
        name: torch.zeros(value.shape) if name.startswith(f"{empty.last}.") else tensors[name]
        for name, value in empty.state_dict().items()
    }
    name = f"{architecture.name.removesuffix('-gap')}-to-{last_map_name(empty)}"
    return rebuilt(model, replace(architecture, name=name), state)


def extract_for(ends: tuple[End, ...]) -> Extract:
    """What gives the features of all ``ends``, side by side, in one pass."""
    return head_inputs if len(ends) == 1 else both_ends


def both_ends(
    model: Classifier, images: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch values"]:
    """The pooled maps at the end of ``model``, and beside them the means of those where `shallower` ends."""
    below, above = split_at_stage(model, 1)
    *modules, last = below
    is_pool = isinstance(last, nn.MaxPool2d)
    middle = nn.Sequential(*(modules if is_pool else below))(images)
    maps = above.stages[0](last(middle) if is_pool else middle)
    return torch.cat([model.pool(maps).flatten(1), middle.mean((2, 3))], 1)


def best_end(ends: tuple[End, ...], learn: Callable[[End], LearntHead]) -> tuple[End, LearntHead, str]:
    """The end whose head has the least loss on images held out, that head, and why it sits there.

    Args:
        ends: the end of the network first; it is taken where nothing could be held out.
        learn: gives the head for an end.
    """
    learned = [(end, learn(end)) for end in ends]
    end, head = min(learned, key=lambda each: _loss(each[1]))
    if len(ends) == 1 or _loss(head) == inf:
        return end, head, f"after {end.layer}, the end of the network"
    losses = ", ".join(f"{_loss(head):.3f} after {end.layer}" for end, head in learned)
    validation = replace(head.validation, seconds=sum(each.validation.seconds for _, each in learned))
    head = replace(head, validation=validation)
    return end, head, f"after {end.layer}, by the loss on images held out: {losses}"


def _loss(learned: LearntHead) -> float:
    return min((point.loss for point in learned.validation.curve), default=inf)
