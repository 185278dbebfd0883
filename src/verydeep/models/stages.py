"""A network split at a stage for fine-tuning: a frozen part, and a trainable part with the head.

A stage runs from one pool to the next, in ResNet from one stride to the next (``stage_starts``). The split is
between stages: within one, layers adapt to each other and train worse apart (Yosinski et al. 2014, sec. 4.1).
"""

import copy
from collections.abc import Mapping, Sequence
from itertools import chain

from jaxtyping import Float
from torch import Tensor, nn

from verydeep.architecture.layer_names import stage_starts
from verydeep.errors import ArchitectureError
from verydeep.models.blocks import Maps
from verydeep.models.classifier import Classifier


class TrainablePart(nn.Module):
    """The last stages of a network and its head: from the output of the frozen part to logits."""

    def __init__(self, stages: Sequence[Sequence[nn.Module]], model: Classifier) -> None:
        super().__init__()
        self.stages = nn.ModuleList(nn.Sequential(*stage) for stage in stages)
        self.classes = model.architecture.classes
        self.pool = model.pool
        self.head = nn.Sequential(*model.head_modules())

    def forward(self, maps: Maps) -> Float[Tensor, "batch classes"]:
        """Logits. ``maps`` are the images if all stages are trainable."""
        for stage in self.stages:
            maps = stage(maps)
        logits: Tensor = self.head(self.pool(maps).flatten(1))
        return logits


def stage_modules(model: Classifier) -> list[list[nn.Module]]:
    """The modules of each stage, in the order in which they run."""
    starts = stage_starts(model.architecture)
    stages: list[list[nn.Module]] = [[] for _ in starts]
    index = -1
    for module in model.feature_modules():
        # Norms and ReLU belong to the layer before them.
        index += not isinstance(module, nn.BatchNorm2d | nn.ReLU)
        stages[sum(start <= index for start in starts) - 1].append(module)
    return stages


def split_at_stage(model: Classifier, stages: int | None) -> tuple[nn.Sequential, TrainablePart]:
    """The frozen part of ``model``, and its last ``stages`` with the head; None means all stages.

    Both share the modules of the model.

    Raises:
        ArchitectureError: where the network has fewer stages.
    """
    modules = stage_modules(model)
    stages = len(modules) if stages is None else stages
    if not 0 <= stages <= len(modules):
        raise ArchitectureError(
            f"cannot train the last {stages} stages of {model.architecture.name}; it has {len(modules)}"
        )
    frozen = len(modules) - stages
    return nn.Sequential(*chain(*modules[:frozen])), TrainablePart(modules[frozen:], model)


def copy_trainable(model: Classifier, stages: int | None) -> Classifier:
    """A copy of ``model`` with its own last ``stages`` and head; the frozen tensors are shared."""
    frozen, _ = split_at_stage(model, stages)
    shared: dict[int, object] = {
        id(tensor): tensor for tensor in chain(frozen.parameters(), frozen.buffers())
    }
    return copy.deepcopy(model, memo=shared)


def with_trained_part(model: Classifier, tensors: Mapping[str, Tensor], stages: int) -> Classifier:
    """``model`` with ``tensors`` in its last ``stages`` and its head; the stages below are shared."""
    copied = copy_trainable(model, stages)
    split_at_stage(copied, stages)[1].load_state_dict(tensors)
    return copied.eval()
