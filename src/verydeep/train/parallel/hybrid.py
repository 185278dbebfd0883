"""Hybrid parallelism: ranks share the images of the convolutions, and the weights of VGG's hidden layers.

Krizhevsky 2014 (arXiv 1404.5997), section 4: most weights are in the fully connected layers, and most of the
arithmetic is in the convolutions. So the convolutions are data parallel, and of the first two fully connected
layers each rank keeps a part, which it computes for the images of all ranks: its rows of the first one
(column parallel) and its columns of the second one (row parallel). Their gradients are not exchanged, the
values between them are. The rest of the head is data parallel again.

A state is split only while the steps of an epoch are made (``split``); at all other times, and in every file,
it is the ordinary one (``join``).
"""

from collections.abc import Callable

from torch import Tensor, nn

from verydeep.errors import RecipeError
from verydeep.models.stages import TrainablePart
from verydeep.train.parallel.collectives import gathered
from verydeep.train.parallel.hybrid_head import HybridHead, linear_layers
from verydeep.train.parallel.ranks import rank, rank_count
from verydeep.train.recipe import Recipe
from verydeep.train.state import TrainingState


def make_hybrid(state: TrainingState, recipe: Recipe, images: int) -> None:
    """Let the head of ``state`` be split among the ranks, for a training by ``recipe`` on so many images.

    Raises:
        RecipeError: where the network, the optimizer or the batch does not allow it.
    """
    count, linear = rank_count(), linear_layers(state.part.head)
    if len(linear) < 3:
        raise RecipeError(
            "--parallel hybrid splits two hidden layers of the head, and that of "
            f"{state.model.architecture.name} has {len(linear) - 1}; leave it out"
        )
    if recipe.optimizer.name == "muon":
        raise RecipeError("--parallel hybrid does not go with muon, whose steps need whole matrices; use sgd")
    width = linear[0][1].out_features
    if width % count:
        raise RecipeError(
            f"--parallel hybrid splits a layer of {width} units, and {count} ranks cannot share them evenly"
        )
    batch = min(recipe.batch_size, images)
    if batch % recipe.slices:
        raise RecipeError(
            f"--parallel hybrid needs slices of one size, and a batch of {batch} has {recipe.slices}; set "
            f"batch_size to {batch // recipe.slices * recipe.slices}"
        )
    state.part.head = HybridHead(*state.part.head)


def split(state: TrainingState) -> None:
    """Keep only the part of this rank of the layers that are split; nothing where none are."""
    if isinstance(state.part.head, HybridHead) and not state.part.head.is_split:
        _change(state, state.part.head, _part)


def join(state: TrainingState) -> None:
    """Make ``state`` the ordinary one, the same on all ranks; nothing where it is."""
    if isinstance(state.part.head, HybridHead) and state.part.head.is_split:
        _change(state, state.part.head, _whole)


def _change(state: TrainingState, head: HybridHead, change: Callable[[Tensor, int], Tensor]) -> None:
    """Change weights, moving average, and what optimizers keep of them."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in state.part.named_parameters()}
    for parameter, dimension in head.split_parameters.items():
        for optimizer in state.optimizers:
            kept = optimizer.state.get(parameter, {})
            for key, value in kept.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    kept[key] = change(value, dimension)
        if state.average is not None:
            average = state.evaluated_part.get_parameter(names[parameter])
            average.data = change(average.data, dimension)
        parameter.data = change(parameter.data, dimension)


def _part(whole: Tensor, dimension: int) -> Tensor:
    return whole.chunk(rank_count(), dimension)[rank()].clone()


def _whole(part: Tensor, dimension: int) -> Tensor:
    return gathered(part.movedim(dimension, 0)).movedim(0, dimension).contiguous()


def clip_gradients(part: TrainablePart, norm: float) -> None:
    """Scale the gradients so that their norm, all together, is at most ``norm``."""
    gradients = [parameter.grad for parameter in part.parameters() if parameter.grad is not None]
    length = nn.utils.get_total_norm(gradients)
    if isinstance(part.head, HybridHead) and part.head.is_split:
        own = nn.utils.get_total_norm(
            [each.grad for each in part.head.split_parameters if each.grad is not None]
        )
        squares = gathered((own**2)[None])
        length = (length**2 - own**2 + squares.sum()).sqrt()
    nn.utils.clip_grads_with_norm_(part.parameters(), norm, length)
