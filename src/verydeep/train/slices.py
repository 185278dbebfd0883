"""Forward and backward of a batch, whole or cut into slices that a CPU's cores work on side by side.

One batch on all cores makes their threads wait for each other at every operator, and small operators leave
most of them idle; a slice goes through the whole network on cores of its own, and they meet once a step
(docs/log.md has the times). Batch norm then takes its statistics of a slice: the "ghost batch norm" of
Hoffer et al. 2017, section 4.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int64
from lightning_fabric import Fabric
from torch import Tensor, nn

from verydeep.models.classifier import Classifier

Criterion = Callable[[Tensor, Tensor], Tensor]
"""From logits and labels to their mean loss."""


class Forward(NamedTuple):
    """What a forward pass gave, cut off from its graph."""

    loss: Float[Tensor, ""]
    """The mean over the batch, in nats."""
    logits: Float[Tensor, "batch classes"]


Backward = Callable[
    [Float[Tensor, "batch channels height width"], Int64[Tensor, " batch"]],
    Forward,
]
"""Takes images and labels, and leaves the gradients of their mean loss in the parameters."""


@contextmanager
def backward_in_slices(
    model: Classifier, slices: int, criterion: Criterion, fabric: Fabric
) -> Iterator[Backward]:
    """What gives ``model`` its gradients; each slice counts by its share of the images.

    On a CPU slices run at once, unless the network has dropout: its random numbers would then come in the
    order of the threads, and no run could be repeated. Of batch norm's running statistics those of the
    first slice are kept.
    """
    if slices == 1:
        yield _whole(model, criterion, fabric)
        return
    twins = [model, *(_twin(model) for _ in range(1, slices))]
    if fabric.device.type != "cpu" or _draws(model):
        yield _sliced(twins, criterion, fabric, _in_turn)
        return
    threads = torch.get_num_threads()
    each = max(1, threads // slices)
    torch.set_num_threads(each)  # or the threads of this one, between steps, would wait on busy cores
    try:
        with ThreadPoolExecutor(slices - 1, initializer=torch.set_num_threads, initargs=(each,)) as pool:
            yield _sliced(twins, criterion, fabric, partial(_at_once, pool))
    finally:
        torch.set_num_threads(threads)


def _whole(model: Classifier, criterion: Criterion, fabric: Fabric) -> Backward:
    module = fabric.setup_module(model)

    def backward(images: Tensor, labels: Tensor) -> Forward:
        logits = module(images)
        loss = criterion(logits, labels)
        fabric.backward(loss)
        return Forward(loss.detach(), logits.detach())

    return backward


class _Slice(NamedTuple):
    forward: Forward
    gradients: tuple[Tensor, ...]


Job = Callable[[], _Slice]


def _in_turn(jobs: Sequence[Job]) -> list[_Slice]:
    return [job() for job in jobs]


def _at_once(pool: ThreadPoolExecutor, jobs: Sequence[Job]) -> list[_Slice]:
    # This thread takes the first: were it to sleep, two woken threads could share its core for a whole step.
    others = [pool.submit(job) for job in jobs[1:]]
    return [jobs[0](), *(other.result() for other in others)]


def _sliced(
    twins: Sequence[Classifier],
    criterion: Criterion,
    fabric: Fabric,
    do: Callable[[Sequence[Job]], list[_Slice]],
) -> Backward:
    parameters = [parameter for parameter in twins[0].parameters() if parameter.requires_grad]

    def backward_of(twin: Classifier, images: Tensor, labels: Tensor, share: float) -> _Slice:
        with fabric.autocast():  # holds for the thread that enters it
            logits = twin(images).float()
            loss = share * criterion(logits, labels)
        return _Slice(Forward(loss.detach(), logits.detach()), torch.autograd.grad(loss, parameters))

    def backward(images: Tensor, labels: Tensor) -> Forward:
        parts = zip(twins, images.tensor_split(len(twins)), labels.tensor_split(len(twins)), strict=True)
        done = do([partial(backward_of, *part, len(part[2]) / len(labels)) for part in parts])
        for parameter, *gradients in zip(parameters, *(part.gradients for part in done), strict=True):
            parameter.grad = _sum(gradients)
        return Forward(
            _sum([part.forward.loss for part in done]),
            torch.cat([part.forward.logits for part in done]),
        )

    return backward


def _sum(tensors: Sequence[Tensor]) -> Tensor:
    return sum(tensors[1:], start=tensors[0])  # in this order whichever was done first


def _twin(model: Classifier) -> Classifier:
    """A network of the same parameters, not equal ones, with buffers of its own."""
    shared = {id(parameter): parameter for parameter in model.parameters()}
    return copy.deepcopy(model, memo=cast(dict[int, object], shared))


def _draws(model: Classifier) -> bool:
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in model.modules())
