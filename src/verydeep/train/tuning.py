"""How a trained network is trained on, and what that changes as it goes: values for ``train/transfer.py``."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor

from verydeep.architecture.architecture import Architecture
from verydeep.data.augment import AugmentConfig
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.stages import copy_trainable, split_at_stage
from verydeep.train.class_imbalance import Balance

FEW_IMAGES = 2_000
"""Below so many training images batch norm keeps the statistics that it came with."""
SMALL_BATCH = 16
"""Likewise below so many images a step."""
LEAST_STEPS = 500
"""Of a fine-tuning whose epochs nobody gave (Kolesnikov et al. 2020, BiT, for small sets)."""
LEAST_EPOCHS = 20


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig:
    """How a trained network is trained on. The defaults are for some hundred to some ten thousand images."""

    stages: Annotated[int, Ge(0)] | None = None
    """How many of the last stages are trained, beside the head; all where absent."""
    lr: Annotated[float, Gt(0)] = 1e-4
    """Peak learning rate of the last stage, of AdamW."""
    head_factor: Annotated[float, Gt(0)] = 5.0
    """Times that, the rate of the last layer; hidden layers of the head learn as the last stage does."""
    stage_decay: Annotated[float, Interval(gt=0, le=1)] = 0.8
    """The rate of each stage, as a part of the rate of the stage above it."""
    weight_decay: Annotated[float, Ge(0)] = 1e-3
    """Decay of convolution and linear weights; biases and norms have none."""
    clip: Annotated[float, Gt(0)] = 1.0
    """Longest gradient of all weights together; a longer one is cut to it."""
    warmup: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    """Part of training in which the rate first rises; then it falls along half a cosine."""
    epochs: Annotated[int, Gt(0)] | None = None
    """Passes over the training images; 20, or what 500 steps take, where absent."""
    patience: Annotated[int, Gt(0)] = 6
    """Epochs without a better validation after which training ends."""
    batch_size: Annotated[int, Gt(0)] = 32
    """Images a step; all of them where there are fewer."""
    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    """Part of each label that goes to the other classes."""
    balance: Balance = "auto"
    """How classes of unlike sizes are made to count alike (``train/balance.py``)."""
    norms: Literal["auto", "frozen", "trained"] = "auto"
    """Whether batch norm keeps its statistics; auto where images or batches are few. Its weights learn."""
    augment: AugmentConfig = field(default_factory=lambda: AugmentConfig(flip="random", crop=0.5, color=0.2))
    """What is done to images; where stages are frozen only the flip is: the rest would change the maps."""
    seed: int = 0
    """Decides order, augmentation and dropout."""

    def course_epochs(self, images: int) -> int:
        """Epochs for so many training images."""
        return self.epochs or max(LEAST_EPOCHS, -(-LEAST_STEPS // self.steps(images)))

    def steps(self, images: int) -> int:
        """Steps an epoch; images that fill no batch wait for another epoch's order."""
        return images // min(self.batch_size, images)

    def keeps_statistics(self, images: int) -> bool:
        """Whether batch norm keeps the statistics that it came with."""
        if self.norms == "auto":
            return images < FEW_IMAGES or self.batch_size < SMALL_BATCH
        return self.norms == "frozen"


def scratch_config(architecture: Architecture, **changes: Any) -> FineTuneConfig:
    """How a network with new weights is trained by ``fine_tune``: longer, all stages at one, higher rate."""
    lr = 1e-3 if architecture.norm != "none" else 2e-4  # deep plain networks do not stand more
    return replace(
        FineTuneConfig(
            lr=lr,
            head_factor=1.0,
            stage_decay=1.0,
            weight_decay=1e-2,
            epochs=60,
            patience=60,
            norms="trained",
        ),
        **changes,
    )


def fresh(network: Checkpoint, seed: int) -> Checkpoint:
    """``network`` with new weights, drawn by He on the device of the old; ``seed`` decides every bit."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(network.model.architecture)
    device = next(network.model.parameters()).device
    return replace(network, model=model.to(device).eval(), origin={"seed": seed})


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best network so far on validation."""

    epoch: int
    """After which; 0 is the network as it came."""
    balanced: float
    """Balanced accuracy on validation, in [0, 1]."""
    loss: float
    """On validation, in nats an image."""
    tensors: dict[str, Tensor]
    """Of the part that is trained."""


@dataclass
class TuningState:
    """A fine-tuning between two steps."""

    network: Checkpoint
    """As it came, on the device that trains; it is not changed."""
    config: FineTuneConfig
    mapped: int = 0
    """Images whose maps were computed: those of validation, and of training twice, once mirrored."""
    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    """Steps made in the epoch that is under way."""
    epochs: int = 0
    """How many there will be at most."""
    steps: int = 0
    """How many an epoch has."""
    seconds: float = 0.0
    """Training so far: steps, and before them maps."""
    best: Best | None = None
    """None until the network as it came has been looked at."""

    def kept(self) -> Checkpoint:
        """The best network on validation; it shares its frozen stages with the one that came."""
        if self.best is None:
            return self.network
        model = copy_trainable(self.network.model, self.config.stages)
        split_at_stage(model, self.config.stages)[1].load_state_dict(self.best.tensors)
        return replace(self.network, model=model.eval())
