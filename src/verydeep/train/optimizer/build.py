"""The optimizers: SGD with Nesterov momentum, Adam, AdamW, and Muon for all layers but the last.

Learning rates may differ by stage: the classifier layer at ``head_lr_factor`` times the rate, and each stage
at ``stage_lr_decay`` times the rate of the stage above it (layer-wise learning rate decay, as fine-tuning
uses it).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from verydeep.models.stages import TrainablePart
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.muon import Muon


@dataclass(frozen=True)
class _Group:
    """Parameters with one learning rate, as a factor of the optimizer's."""

    decayed: list[Tensor]
    """Weights of convolutions and linear layers."""
    exempt: list[Tensor]
    """Biases, and the parameters of norms: no weight decay."""
    lr_factor: float


def build_optimizers(
    part: TrainablePart, config: OptimizerConfig, dtype: torch.dtype = torch.float32
) -> list[Optimizer]:
    """The optimizers of ``part``: one, or two for muon; each parameter belongs to one of them.

    Each parameter group keeps its peak rate as ``peak_lr``. ``dtype`` is that of Muon's matrix products.
    """
    optimizers = _optimizers(part, config, dtype)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return optimizers


def set_rate(optimizers: Iterable[Optimizer], factor: float) -> None:
    """Set every learning rate to ``factor`` of its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = factor * group["peak_lr"]


def _optimizers(part: TrainablePart, config: OptimizerConfig, dtype: torch.dtype) -> list[Optimizer]:
    groups = list(_groups_by_rate(part, config))
    torch_groups = _torch_groups(groups, config.lr, config)
    match config.name:
        case "sgd":
            return [_sgd(torch_groups, config)]
        case "adam":
            return [Adam(torch_groups, betas=(config.momentum, 0.999), **_kernels(torch_groups))]
        case "adamw":
            return [AdamW(torch_groups, betas=(config.momentum, 0.999), **_kernels(torch_groups))]
        case "muon":
            return _muon_and_sgd(part, groups, config, dtype)


def _groups_by_rate(part: TrainablePart, config: OptimizerConfig) -> Iterator[_Group]:
    """One group for all; where rates differ, one for the last layer, the hidden layers, and each stage."""
    if config.head_lr_factor == config.stage_lr_decay == 1.0:
        yield _group(part.parameters(), 1.0)
        return
    *hidden, last = part.head
    yield _group(last.parameters(), config.head_lr_factor)
    yield _group((parameter for module in hidden for parameter in module.parameters()), 1.0)
    for below, stage in enumerate(reversed(part.stages)):
        yield _group(stage.parameters(), config.stage_lr_decay**below)


def _group(parameters: Iterable[Tensor], lr_factor: float) -> _Group:
    parameters = list(parameters)
    return _Group([p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1], lr_factor)


def _torch_groups(groups: Iterable[_Group], lr: float, config: OptimizerConfig) -> list[dict[str, Any]]:
    """As torch's optimizers take them, without empty ones."""
    torch_groups = [
        {"params": parameters, "weight_decay": decay, "lr": lr * group.lr_factor}
        for group in groups
        for parameters, decay in ((group.decayed, config.weight_decay), (group.exempt, 0.0))
    ]
    return [group for group in torch_groups if group["params"]]


def _sgd(groups: list[dict[str, Any]], config: OptimizerConfig) -> SGD:
    return SGD(
        groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0, **_kernels(groups)
    )


def _kernels(groups: list[dict[str, Any]]) -> dict[str, bool]:
    """On a GPU one kernel updates many tensors, and reads each of them once."""
    return {"fused": True} if groups[0]["params"][0].is_cuda else {"foreach": True}


def _muon_and_sgd(
    part: TrainablePart, groups: list[_Group], config: OptimizerConfig, dtype: torch.dtype
) -> list[Optimizer]:
    """Muon for the weights of convolutions and hidden layers; SGD for the last layer, biases and norms."""
    classifier = cast(nn.Linear, part.head[-1]).weight
    hidden = [_Group(_without(group.decayed, classifier), [], group.lr_factor) for group in groups]
    last = _Group([classifier], [], config.head_lr_factor)
    rest = [_Group([], group.exempt, group.lr_factor) for group in groups]
    muon_groups = _torch_groups(hidden, config.lr, config)
    sgd = _sgd(_torch_groups([last, *rest], config.sgd_lr, config), config)
    if not muon_groups:
        return [sgd]
    muon = Muon(
        muon_groups,
        lr=config.lr,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        dtype=dtype,
    )
    return [muon, sgd]


def _without(parameters: list[Tensor], left_out: Tensor) -> list[Tensor]:
    return [parameter for parameter in parameters if parameter is not left_out]
