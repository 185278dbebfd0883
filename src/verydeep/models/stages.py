"""A network cut in two at a stage: below what stays as it is, above what is trained.

A stage runs from one pool to the next, in ResNet from one stride to the next (``stage_starts``). Whole stages
are cut, as layers that learned together go on badly apart (Yosinski et al. 2014, section 4.1).
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
    """The last stages of a network and its head, from the maps of the stage below to logits."""

    def __init__(self, stages: Sequence[Sequence[nn.Module]], model: Classifier) -> None:
        super().__init__()
        self.stages = nn.ModuleList(nn.Sequential(*stage) for stage in stages)
        self.classes = model.architecture.classes
        self.pool = model.pool
        self.head = nn.Sequential(*model.head_modules())

    def forward(self, maps: Maps) -> Float[Tensor, "batch classes"]:
        """Logits. ``maps`` are images where no stage lies below."""
        for stage in self.stages:
            maps = stage(maps)
        logits: Tensor = self.head(self.pool(maps).flatten(1))
        return logits


def stage_modules(model: Classifier) -> list[list[nn.Module]]:
    """The modules of each stage, in the order in which they run."""
    starts = stage_starts(model.architecture)
    stages: list[list[nn.Module]] = [[] for _ in starts]
    place = -1
    for module in model.feature_modules():
        # Norms and ReLU belong to the layer before them.
        place += not isinstance(module, nn.BatchNorm2d | nn.ReLU)
        stages[sum(start <= place for start in starts) - 1].append(module)
    return stages


def cut(model: Classifier, stages: int | None) -> tuple[nn.Sequential, TrainablePart]:
    """What lies below the last ``stages`` of ``model``, and these with the head; None is all stages.

    Both share the modules of the model.

    Raises:
        ArchitectureError: where the network has not so many stages.
    """
    modules = stage_modules(model)
    stages = len(modules) if stages is None else stages
    if not 0 <= stages <= len(modules):
        raise ArchitectureError(
            f"the last {stages} stages of {model.architecture.name} were asked for; it has {len(modules)}"
        )
    below = len(modules) - stages
    return nn.Sequential(*chain(*modules[:below])), TrainablePart(modules[below:], model)


def copy_above(model: Classifier, stages: int | None) -> Classifier:
    """``model`` with tensors of its own for its last ``stages`` and its head; those below are shared."""
    below, _ = cut(model, stages)
    shared: dict[int, object] = {id(tensor): tensor for tensor in chain(below.parameters(), below.buffers())}
    return copy.deepcopy(model, memo=shared)


def with_trained_part(model: Classifier, tensors: Mapping[str, Tensor], stages: int) -> Classifier:
    """``model`` with ``tensors`` in its last ``stages`` and its head; the stages below are shared."""
    copied = copy_above(model, stages)
    cut(copied, stages)[1].load_state_dict(tensors)
    return copied.eval()
