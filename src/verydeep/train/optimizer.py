"""The optimizers: SGD with Nesterov momentum, Adam, AdamW, and Muon for all but the last layer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from verydeep.train.muon import Muon


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """How steps are made from gradients."""

    name: Literal["sgd", "adam", "adamw", "muon"] = "sgd"
    """sgd is with Nesterov momentum; muon takes convolutions and hidden layers, and sgd everything else."""
    lr: Annotated[float, Gt(0)] = 0.05
    """Peak learning rate; of convolutions and hidden layers where the optimizer is muon."""
    sgd_lr: Annotated[float, Gt(0)] = 0.1
    """Peak learning rate of everything that muon leaves to sgd."""
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.9
    """Of sgd and muon; adam and adamw take it as their first beta."""
    weight_decay: Annotated[float, Ge(0)] = 5e-4
    """Decay of convolution and linear weights; biases and norms have none."""


def build_optimizers(
    model: nn.Module, config: OptimizerConfig, dtype: torch.dtype = torch.float32
) -> list[Optimizer]:
    """The optimizers of ``model``: one, or for muon two, so that each parameter belongs to one of them.

    Each group of parameters keeps its peak rate as ``peak_lr``. ``dtype`` is that of Muon's matrix products.
    """
    decayed, exempt = _by_decay(model.parameters())
    if config.name == "muon":
        *hidden, classes = decayed
        optimizers: list[Optimizer] = [
            Muon(
                hidden, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay, dtype=dtype
            ),
            _sgd([classes], exempt, config.sgd_lr, config),
        ]
    elif config.name == "sgd":
        optimizers = [_sgd(decayed, exempt, config.lr, config)]
    else:
        kind = Adam if config.name == "adam" else AdamW
        groups = _groups(decayed, exempt, config.weight_decay)
        optimizers = [kind(groups, lr=config.lr, betas=(config.momentum, 0.999), foreach=True)]
    _keep_peaks(optimizers)
    return optimizers


def staged_adamw(parts: Iterable[tuple[Iterable[Tensor], float]], weight_decay: float) -> Optimizer:
    """AdamW with a peak rate for each part of the parameters; biases and norms do not decay.

    The first group is of the first part.
    """
    groups = [
        {**group, "lr": lr}
        for parameters, lr in parts
        for group in _groups(*_by_decay(parameters), weight_decay=weight_decay)
    ]
    optimizer = AdamW(groups, foreach=True)
    _keep_peaks([optimizer])
    return optimizer


def _keep_peaks(optimizers: Iterable[Optimizer]) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]


def set_rate(optimizers: Iterable[Optimizer], factor: float) -> None:
    """Set every learning rate to ``factor`` of its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = factor * group["peak_lr"]


def _sgd(decayed: list[Tensor], exempt: list[Tensor], lr: float, config: OptimizerConfig) -> SGD:
    groups = _groups(decayed, exempt, config.weight_decay)
    return SGD(groups, lr=lr, momentum=config.momentum, nesterov=config.momentum > 0, foreach=True)


def _groups(decayed: list[Tensor], exempt: list[Tensor], weight_decay: float) -> list[dict[str, Any]]:
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": exempt, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _by_decay(parameters: Iterable[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Weights of convolutions and linear layers; biases and the parameters of norms."""
    parameters = [parameter for parameter in parameters if parameter.requires_grad]
    return [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
