"""Forward and backward pass of a batch: whole, or in slices on the cores of a CPU or on several devices.

With one batch on all cores, their threads wait for each other at every operator, and small operators leave
most of them idle. A slice goes through the whole network on its own cores, and slices meet once per step
(docs/log.md has the times). Batch norm then uses the statistics of a slice: the "ghost batch norm" of
Hoffer et al. 2017, section 4.

A slice is also what ranks share: each computes its slices of every batch, and the result is that of one
process with the same slices. Slices that a device computes one after the other take the memory of one: that
is gradient accumulation.
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
from torch.nn import functional

from verydeep.data.augmentation.mix import Labels
from verydeep.data.batches import generator
from verydeep.errors import RecipeError
from verydeep.foreign_text import error_text
from verydeep.inputs.share import Share
from verydeep.train.parallel.all_reduce import add_in_order, added
from verydeep.train.parallel.collectives import gathered
from verydeep.train.parallel.hybrid_head import HybridHead
from verydeep.train.parallel.ranks import share_of_rank

Criterion = Callable[[Tensor, Tensor], Tensor]
"""From logits and ``Labels`` to the mean loss."""


class Forward(NamedTuple):
    """The result of a forward pass over the whole batch, the same on all ranks; it has no graph."""

    loss: Float[Tensor, ""]
    """The mean over the batch, in nats."""
    predicted: Int64[Tensor, " batch"]
    """The class with the largest logit of each image."""
    losses: Float[Tensor, " batch"]
    """The cross-entropy of each image, in nats, without label smoothing and class weights."""


class BatchPosition(NamedTuple):
    """Which batch the images of this rank are part of."""

    images: int
    """Of the whole batch."""
    seed: int
    """With epoch, step, and the number of a slice it decides the random numbers of dropout."""
    epoch: int
    step: int


Backward = Callable[[Float[Tensor, "images channels height width"], Labels, BatchPosition], Forward]
"""From the images and labels that this rank computes (``share_of_rank``); leaves the gradients of the whole
batch in the parameters."""


@contextmanager
def backward_in_slices(
    model: nn.Module,
    slices: int,
    criterion: Criterion,
    fabric: Fabric,
    *,
    compiled: bool = False,
    exchanged: torch.dtype = torch.float32,
) -> Iterator[Backward]:
    """The function that computes the gradients of ``model``; each slice counts by its share of the images.

    Args:
        model: the network; on all ranks with the same parameters.
        slices: of each batch, on all ranks together.
        criterion: the mean loss of a slice.
        fabric: device and precision.
        compiled: for one slice only: torch.compile fuses what lies between the convolutions.
        exchanged: the dtype in which ranks exchange gradients.

    On a CPU the slices of a rank run at the same time, unless the network has dropout: its random numbers
    would then depend on the order of the threads, and no run could be repeated. Batch norm keeps the running
    statistics of the first slice; those of a rank that does not compute it are of no use.

    Raises:
        RecipeError: where the ranks cannot share the slices.
    """
    share = share_of_rank(slices)
    if slices == 1:
        with _fastest_of_cudnn():
            if compiled:
                yield _explaining_failure(_whole(cast(nn.Module, torch.compile(model)), criterion, fabric))
            else:
                yield _whole(model, criterion, fabric)
        return
    own = share.slices // share.ranks
    twins = [model, *(_twin(model) for _ in range(1, own))]
    sliced = partial(_sliced, twins, share, criterion, fabric, exchanged)
    if fabric.device.type != "cpu" or _has_dropout(model) or own == 1 or _hybrid_heads(model):
        with _fastest_of_cudnn():
            yield sliced(_in_turn)
        return
    threads = torch.get_num_threads()
    each = max(1, threads // own)
    torch.set_num_threads(each)  # otherwise this thread's pool would wait on busy cores between steps
    try:
        with ThreadPoolExecutor(own - 1, initializer=torch.set_num_threads, initargs=(each,)) as pool:
            yield sliced(partial(_at_once, pool))
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

    def explained(images: Tensor, labels: Tensor, position: BatchPosition) -> Forward:
        try:
            return backward(images, labels, position)
        except Exception as error:
            if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            reason = error_text(error)
            raise RecipeError(
                f"torch.compile fails here: {reason}. Install a C++ compiler, or train with compile = false"
            ) from error

    return explained


def _whole(model: nn.Module, criterion: Criterion, fabric: Fabric) -> Backward:
    module, has_dropout = fabric.setup_module(model), _has_dropout(model)

    def backward(images: Tensor, labels: Tensor, position: BatchPosition) -> Forward:
        if has_dropout:
            torch.manual_seed(_seed(position, 0))
        logits = module(images)
        loss = criterion(logits, labels)
        fabric.backward(loss)
        return Forward(loss.detach(), logits.argmax(1), _losses(logits, labels))

    return backward


class _Slice(NamedTuple):
    loss: Tensor
    predicted: Tensor
    losses: Tensor
    gradients: tuple[Tensor, ...]


Job = Callable[[], _Slice]


def _in_turn(jobs: Sequence[Job]) -> Iterator[_Slice]:
    return (job() for job in jobs)


def _at_once(pool: ThreadPoolExecutor, jobs: Sequence[Job]) -> Iterator[_Slice]:
    # This thread takes the first: if it slept, two other threads could share one core for a whole step.
    others = [pool.submit(job) for job in jobs[1:]]
    return iter([jobs[0](), *(other.result() for other in others)])


def _sliced(
    twins: Sequence[nn.Module],
    share: Share,
    criterion: Criterion,
    fabric: Fabric,
    exchanged: torch.dtype,
    do: Callable[[Sequence[Job]], Iterator[_Slice]],
) -> Backward:
    trained = [parameter for parameter in twins[0].parameters() if parameter.requires_grad]
    kept = [parameter for head in _hybrid_heads(twins[0]) for parameter in head.split_parameters]
    apart = set(map(id, kept))
    shared = [parameter for parameter in trained if id(parameter) not in apart]
    first, has_dropout = share.rank * len(twins), _has_dropout(twins[0])
    heads = {twin: _hybrid_heads(twin) for twin in twins}

    def backward_of(
        number: int, twin: nn.Module, images: Tensor, labels: Tensor, position: BatchPosition
    ) -> _Slice:
        if has_dropout:
            torch.manual_seed(_seed(position, number))
        for head in heads[twin]:
            head.seeds = [_seed(position, each) for each in range(number - first, share.slices, len(twins))]
        with fabric.autocast():  # applies to the thread that enters it
            logits = twin(images).float()
            loss = len(labels) / position.images * criterion(logits, labels)
        gradients = torch.autograd.grad(loss, [*shared, *kept])
        return _Slice(loss.detach(), logits.argmax(1), _losses(logits, labels), gradients)

    def backward(images: Tensor, labels: Tensor, position: BatchPosition) -> Forward:
        sizes = share.slice_sizes(position.images)
        work = zip(twins, images.split(sizes), labels.split(sizes), strict=True)
        jobs = [partial(backward_of, number, *each, position) for number, each in enumerate(work, first)]
        slices: list[_Slice] = []

        def gradients() -> Iterator[tuple[Tensor, ...]]:
            for done in do(jobs):
                # What is added as it comes is not kept: slices in turn take the memory of one.
                slices.append(done._replace(gradients=done.gradients[len(shared) :]))
                yield done.gradients[: len(shared)]

        sums = add_in_order(gradients(), exchanged)
        sums += added(done.gradients for done in slices)
        for parameter, gradient in zip([*shared, *kept], sums, strict=True):
            parameter.grad = gradient
        return _of_all_ranks(slices, Share(slices=share.slices).slice_sizes(position.images))

    return backward


def _of_all_ranks(slices: Sequence[_Slice], sizes: Sequence[int]) -> Forward:
    """The losses and the predictions of all slices, from those of this rank; ``sizes`` in images."""
    longest = max(sizes)
    # One tensor for all of it: fp32 holds the number of a class exactly.
    own = [torch.cat([done.loss[None], *_padded(done.predicted, done.losses, longest)]) for done in slices]
    rows = gathered(torch.stack(own))
    classes, losses = rows[:, 1 : 1 + longest].long(), rows[:, 1 + longest :]
    return Forward(_sum(list(rows[:, 0])), _joined(classes, sizes), _joined(losses, sizes))


def _padded(predicted: Tensor, losses: Tensor, length: int) -> list[Tensor]:
    return [functional.pad(each.float(), (0, length - len(each))) for each in (predicted, losses)]


def _joined(rows: Tensor, sizes: Sequence[int]) -> Tensor:
    return torch.cat([row[:size] for row, size in zip(rows, sizes, strict=True)])


@torch.no_grad()
def _losses(logits: Tensor, labels: Labels) -> Tensor:
    return functional.cross_entropy(logits.detach().float(), labels, reduction="none")


def _seed(position: BatchPosition, number: int) -> int:
    """The random numbers of dropout, as a function of ``position`` and of the ``number`` of the slice."""
    return generator(position.seed, position.epoch, position.step, number).initial_seed()


def _hybrid_heads(model: nn.Module) -> list[HybridHead]:
    return [module for module in model.modules() if isinstance(module, HybridHead)]


def _sum(tensors: Sequence[Tensor]) -> Tensor:
    return sum(tensors[1:], start=tensors[0])  # in this order, whichever finished first


def _twin(model: nn.Module) -> nn.Module:
    """A network that shares the parameters (not copies of them), with its own buffers."""
    shared = {id(parameter): parameter for parameter in model.parameters()}
    return copy.deepcopy(model, memo=cast(dict[int, object], shared))


def _has_dropout(model: nn.Module) -> bool:
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in model.modules())
