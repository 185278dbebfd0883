"""The study of the classifier head: fully connected layers as in VGG, or global average pooling."""

from collections.abc import Sequence
from dataclasses import replace

from verydeep.analyze.memory import estimate_memory
from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.layers import Head
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.study.experiments.variants import trials_of
from verydeep.study.statistics import Contrast, conclusions
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import Recipe

CONVOLUTIONS = "16x2 M 32x2 M 64x2 M"
FULLY_CONNECTED, WITH_DROPOUT, POOLED = "fully connected", "with dropout", "global pooling"
HEADS = {
    FULLY_CONNECTED: (f"{CONVOLUTIONS} | pool3 512 512", 0.0),
    WITH_DROPOUT: (f"{CONVOLUTIONS} | pool3 512 512", 0.5),
    POOLED: (f"{CONVOLUTIONS} | gap", 0.0),
}
"""Architecture string and dropout."""
IMAGES, EPOCHS, SEEDS = 6_000, 15, 3
FULL_EPOCHS, FULL_SEEDS = 8, 5


RECIPE = Recipe(
    norm="batch",
    batch_size=64,
    optimizer=OptimizerConfig(name="sgd", lr=0.05, momentum=0.9, weight_decay=5e-4),
    schedule=ScheduleConfig(name="linear", warmup=0.1),
    augment=AugmentConfig(flip="random"),
)


def _trials(full: bool) -> tuple[Trial, ...]:
    epochs = FULL_EPOCHS if full else EPOCHS
    recipes = {
        name: replace(RECIPE, model=string, dropout=dropout, epochs=epochs)
        for name, (string, dropout) in HEADS.items()
    }
    return trials_of(recipes, None if full else IMAGES, FULL_SEEDS if full else SEEDS)


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    parameters = {run.variant: run.parameters for run in outcomes}
    share = parameters[POOLED] / parameters[FULLY_CONNECTED]
    heads = "fully connected layers and global average pooling"
    return (
        *conclusions(
            outcomes,
            [
                Contrast(POOLED, FULLY_CONNECTED, heads, "better"),
                Contrast(POOLED, WITH_DROPOUT, f"{heads}, the former with dropout", "better"),
                Contrast(
                    WITH_DROPOUT, FULLY_CONNECTED, "fully connected layers without and with dropout", "better"
                ),
            ],
        ),
        f"The network with global average pooling has {share:.0%} of the parameters.",
        _vgg16(),
    )


def _vgg16() -> str:
    """The same change to VGG16, counted exactly."""
    vgg16 = zoo.resolve("vgg16")
    pooled = replace(vgg16, head=Head())
    counts = [trace(network).totals.parameters for network in (vgg16, pooled)]
    memory = [estimate_memory(network, batch=32).peak.bytes(32) / 2**30 for network in (vgg16, pooled)]
    return (
        f"In VGG16 the same change leaves {counts[1]:,} of {counts[0]:,} parameters, and {memory[1]:.1f} of "
        f"{memory[0]:.1f} GiB of memory to train with SGD on batches of 32 images."
    )


STUDY = Study(
    name="head",
    title="Fully connected layers, or global average pooling?",
    question="The same convolutions with two fully connected layers of 512 units, without and with dropout, "
    "and with global average pooling: what do the parameters of the head bring?",
    source="Simonyan and Zisserman 2014, arXiv 1409.1556; Lin et al. 2014, arXiv 1312.4400, section 4.6",
    protocol=f"{CONVOLUTIONS} with batch norm. SGD with momentum 0.9, learning rate 0.05 with linear warmup "
    "for a tenth of the steps and linear decay, weight decay 5e-4, batch size 64, random flips.",
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="CIFAR-10 without augmentation, test error of Network In Network (Lin et al. 2014, Table 5)",
        header=("head", "test error"),
        rows=(
            ("fully connected", "11.59 %"),
            ("fully connected, with dropout", "10.88 %"),
            ("global average pool", "10.41 %"),
        ),
    ),
)
