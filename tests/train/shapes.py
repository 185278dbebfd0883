"""Drawn shapes in memory, and a training on them: what the tests of training share."""

from dataclasses import replace

import torch

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data import synthetic
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.images import channel_statistics
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.loop import fit
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.recipe import Recipe
from verydeep.train.run import fabric_on, training_inputs
from verydeep.train.state import initial_state

IMAGES = synthetic.shapes(240, size=16, classes=3, seed=1)
TRAIN, VAL = IMAGES.select(torch.arange(160)), IMAGES.select(torch.arange(160, 240))
MEAN, STD = channel_statistics(TRAIN.pixels)
PREPROCESS = Preprocess(size=16, channels=1, mean=MEAN, std=STD)
FABRIC = fabric_on(torch.device("cpu"), "fp32")

PLAIN = Recipe(epochs=3, batch_size=20, precision="fp32", optimizer=OptimizerConfig(name="sgd", lr=0.02))
"""Training from scratch, on all images."""

FINE_TUNE = replace(
    PLAIN, epochs=4, batch_size=16, validation=0.3, keep="best", ema="auto", label_smoothing=0.1,
    augment=AugmentConfig(flip="random"),
    optimizer=OptimizerConfig(name="adamw", lr=5e-3, stage_lr_decay=0.8, clip_norm=1.0),
)  # fmt: skip
"""As the recipe of fine-tuning, with higher rates for tiny networks; `VAL` is what it validates on."""


def network(string="8 M 16 M | gap 16", norm="none", seed=0, **settings):
    """A randomly initialized network for the three shapes."""
    torch.manual_seed(seed)
    architecture = Architecture.from_string(string, norm=norm, input=(1, 16, 16), classes=3, **settings)
    return Checkpoint(build(architecture).eval(), PREPROCESS, TRAIN.classes)


LEARNS_FAST = ("16 M 32 M | gap", "batch")


def begin(recipe, start=None, train=TRAIN, fabric=FABRIC):
    """The state of a training that has not made a step."""
    return initial_state(recipe, (start or network()).model, len(train), fabric)


def train_on(state, recipe, train=TRAIN, val=VAL, fabric=FABRIC, **how):
    """All epochs of ``recipe``; without validation where it asks for none."""
    val = val if recipe.validation else None
    limit = {"memory_limit": how.pop("memory_limit")} if "memory_limit" in how else {}
    with training_inputs(recipe, state, PREPROCESS, train, val, fabric, **limit) as inputs:
        return list(fit(state, recipe, inputs, fabric, **how))


def bits(model):
    """A copy of all tensors."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first, second):
    """Whether two sets of tensors are equal bit by bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
