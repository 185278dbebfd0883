"""Forward and backward pass of a batch, whole or in slices that run on the cores of a CPU at the same time.

With one batch on all cores, their threads wait for each other at every operator, and small operators leave
most of them idle. A slice goes through the whole network on its own cores, and slices meet once per step
(docs/log.md has the times). Batch norm then uses the statistics of a slice: the "ghost batch norm" of
Hoffer et al. 2017, section 4.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import Tensor, nn

from verydeep.data.augmentation.mix import Labels
from verydeep.errors import RecipeError

Criterion = Callable[[Tensor, Tensor], Tensor]
"""From logits and ``Labels`` to the mean loss."""


class Forward(NamedTuple):
    """The result of a forward pass, detached from its graph."""

    loss: Float[Tensor, ""]
    """The mean over the batch, in nats."""
    logits: Float[Tensor, "batch classes"]


Backward = Callable[
    [Float[Tensor, "batch channels height width"], Labels],
    Forward,
]
"""From images and labels to the loss; leaves the gradients in the parameters."""


@contextmanager
def backward_in_slices(
    model: nn.Module, slices: int, criterion: Criterion, fabric: Fabric, *, compiled: bool = False
) -> Iterator[Backward]:
    """The function that computes the gradients of ``model``; each slice counts by its share of the images.

    ``compiled`` is for one slice only: torch.compile fuses what lies between the convolutions.

    On a CPU slices run at the same time, unless the network has dropout: its random numbers would then depend
    on the order of the threads, and no run could be repeated. Batch norm keeps the running statistics of the
    first slice.
    """
    if slices == 1:
        with _fastest_of_cudnn():
            if compiled:
                yield _explaining_failure(_whole(cast(nn.Module, torch.compile(model)), criterion, fabric))
            else:
                yield _whole(model, criterion, fabric)
        return
    twins = [model, *(_twin(model) for _ in range(1, slices))]
    if fabric.device.type != "cpu" or _has_dropout(model):
        yield _sliced(twins, criterion, fabric, _in_turn)
        return
    threads = torch.get_num_threads()
    each = max(1, threads // slices)
    torch.set_num_threads(each)  # otherwise this thread's pool would wait on busy cores between steps
    try:
        with ThreadPoolExecutor(slices - 1, initializer=torch.set_num_threads, initargs=(each,)) as pool:
            yield _sliced(twins, criterion, fabric, partial(_at_once, pool))
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _fastest_of_cudnn() -> Iterator[None]:
    """Every step has the same shapes: cudnn tries its algorithms in the first one, and keeps the fastest.

    Not where the caller asks cudnn for the same bits each time.
    """
    cudnn = torch.backends.cudnn
    before, cudnn.benchmark = cudnn.benchmark, not cudnn.deterministic
    try:
        yield
    finally:
        cudnn.benchmark = before


def _explaining_failure(backward: Backward) -> Backward:
    """``backward`` of a compiled network, which is compiled at its first call."""

    def explained(images: Tensor, labels: Tensor) -> Forward:
        try:
            return backward(images, labels)
        except Exception as error:
            if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            reason = " ".join(str(error).split())[:160]
            raise RecipeError(
                f"torch.compile fails here: {reason}. Install a C++ compiler, or train with compile = false"
            ) from error

    return explained


def _whole(model: nn.Module, criterion: Criterion, fabric: Fabric) -> Backward:
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
    # This thread takes the first: if it slept, two other threads could share one core for a whole step.
    others = [pool.submit(job) for job in jobs[1:]]
    return [jobs[0](), *(other.result() for other in others)]


def _sliced(
    twins: Sequence[nn.Module],
    criterion: Criterion,
    fabric: Fabric,
    do: Callable[[Sequence[Job]], list[_Slice]],
) -> Backward:
    parameters = [parameter for parameter in twins[0].parameters() if parameter.requires_grad]

    def backward_of(twin: nn.Module, images: Tensor, labels: Tensor, share: float) -> _Slice:
        with fabric.autocast():  # applies to the thread that enters it
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
    return sum(tensors[1:], start=tensors[0])  # in this order, whichever finished first


def _twin(model: nn.Module) -> nn.Module:
    """A network that shares the parameters (not copies of them), with its own buffers."""
    shared = {id(parameter): parameter for parameter in model.parameters()}
    return copy.deepcopy(model, memo=cast(dict[int, object], shared))


def _has_dropout(model: nn.Module) -> bool:
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in model.modules())
