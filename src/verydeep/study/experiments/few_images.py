"""What overfitting and transfer share: half of the classes, and a network trained on the others."""

from dataclasses import replace

from verydeep.study.trial import Trial
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import Recipe

SOURCE = ("Trouser", "Dress", "Coat", "Sandal", "Sneaker")
"""The classes of Fashion-MNIST on which a network is trained first."""
TARGET = ("T-shirt/top", "Pullover", "Shirt", "Bag", "Ankle boot")
"""The classes to learn from few images; both halves have clothes for the upper body, and shoes."""
NETWORK = "16x2 M 32x2 M 64x2 M | gap"


def source_trial(seed: int, full: bool) -> Trial:
    """The network trained on the images of ``SOURCE``, all of them for a ``full`` study."""
    return Trial(
        group="first",
        variant="trained on the other classes",
        classes=SOURCE,
        images=None if full else 6_000,
        recipe=replace(recipe(seed), model=NETWORK, norm="batch", epochs=8),
    )


def recipe(seed: int) -> Recipe:
    """What all trainings have in common."""
    return Recipe(
        batch_size=50,
        seed=seed,
        dropout=0.0,
        optimizer=OptimizerConfig(name="sgd", lr=0.05, momentum=0.9, weight_decay=5e-4),
        schedule=ScheduleConfig(name="linear", warmup=0.1),
    )
