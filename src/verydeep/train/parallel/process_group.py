"""Connects the ranks that torchrun has started, for one training."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from verydeep import torchrun
from verydeep.train.parallel.patience import timeout_in_training
from verydeep.train.parallel.store import (
    begin_training,
    group_store,
    hearing_from_all,
    say_that_training_ends,
    wait_for_all,
)


@dataclass
class _Group:
    is_left: bool = False
    """By a training that has ended with an error."""


_group = _Group()


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Connects the ranks that torchrun has started; nothing without torchrun, or within another group.

    Tensors on a GPU go through NCCL, those on a CPU through gloo.

    Raises:
        RankError: where another rank has ended, or does not answer.
        RecipeError: where the environment asks for a timeout that is none.
    """
    if not torchrun.is_launched() or (distributed.is_initialized() and not _group.is_left):
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    timeout = timeout_in_training()
    begin_training()
    if _group.is_left:
        _group.is_left = False
        distributed.destroy_process_group()  # a rank that still waits in it hears so
    wait_for_all("started")
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    with hearing_from_all():
        distributed.init_process_group(
            backend,
            store=group_store(),
            rank=torchrun.rank(),
            world_size=torchrun.world_size(),
            timeout=timeout,
        )
    try:
        yield
    except BaseException:  # the group is left as it is: to close it might wait for a rank that is lost
        _group.is_left = True
        say_that_training_ends()
        raise
    distributed.destroy_process_group()
