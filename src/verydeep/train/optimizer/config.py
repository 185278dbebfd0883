"""The settings of the optimizer."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval


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
    """Of sgd and muon; adam and adamw use it as their first beta."""
    weight_decay: Annotated[float, Ge(0)] = 5e-4
    """Decay of convolution and linear weights; biases and norms have none."""
    head_lr_factor: Annotated[float, Gt(0)] = 1.0
    """The learning rate of the classifier layer, as a factor of the others."""
    stage_lr_decay: Annotated[float, Interval(gt=0, le=1)] = 1.0
    """The learning rate of each stage, as a factor of the rate of the stage above it."""
    clip_norm: Annotated[float, Ge(0)] = 0.0
    """Gradient clipping: the largest norm of the gradient of all weights together; 0 is off."""
