"""The study of compression: bits, unstructured pruning, narrowing, and training from scratch."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.study.compression_findings import conclude
from verydeep.study.compression_groups import (
    BITS_ALONE,
    DISTILLED,
    FP32,
    NARROWED,
    OTHERWISE,
    OTHERWISE_TRAINED,
    PRUNED,
    REFITTED,
    SCRATCH_B,
    SCRATCH_E,
    bits_name,
    group_name,
)
from verydeep.study.trial import CompressionSteps, PublishedTable, Study, Trial
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import Recipe

ORIGINAL = "vgg-tiny"
WIDTHS = {
    "1/2": "16 M 48 M 96 M | pool3 160",
    "1/4": "16 M 32 M 64 M | pool3 128",
    "1/8": "16 M 32 M 48 M | pool3 64",
    "1/16": "16 M 16 M 32 M | pool3 64",
}
"""The share of the weights that stays, and the widths to which channels are removed for it."""
BITS_OF_ORIGINAL, BITS_OF_SMALLER = (8, 4, 3, 2), (4, 3)

RECIPE = Recipe(
    model=ORIGINAL,
    dropout=0.0,
    epochs=6,
    batch_size=250,
    label_smoothing=0.1,
    validation=0.2,
    optimizer=OptimizerConfig(name="muon", lr=0.08, sgd_lr=0.3, momentum=0.6, weight_decay=0.0),
    schedule=ScheduleConfig(name="linear"),
    augment=AugmentConfig(flip="alternating"),
)
"""As ``fast`` on all images in each epoch, for more epochs of fewer images, and with validation images."""
FINE_TUNING = replace(
    RECIPE,
    epochs=3,
    batch_size=125,
    optimizer=OptimizerConfig(name="adamw", lr=2e-3, weight_decay=0.0),
    schedule=ScheduleConfig(name="one-cycle", warmup=0.1),
)
"""As ``verydeep compress`` distills, with the labels of the original's recipe."""
IMAGES, SEEDS = 10_000, 5


def _trials(full: bool) -> tuple[Trial, ...]:
    return tuple(trial for seed in range(SEEDS) for trial in _trials_of_seed(seed, full))


def _trials_of_seed(seed: int, full: bool) -> Iterator[Trial]:
    """Each trial follows the one that it starts from."""
    recipe, fine_tuning = replace(RECIPE, seed=seed), replace(FINE_TUNING, seed=seed)
    images = None if full else IMAGES
    original = Trial(group="original", variant="trained", recipe=recipe, images=images)
    compression = Trial(
        variant=FP32, recipe=fine_tuning, images=images, initialized_from=original, kind="compression"
    )
    yield original
    yield from _with_bits(replace(compression, group=BITS_ALONE), BITS_OF_ORIGINAL)
    for share, widths in WIDTHS.items():
        steps = CompressionSteps(keep=float(Fraction(share)), training="labels")
        yield from _smaller(replace(compression, group=PRUNED, variant=share, steps=steps))
        steps = CompressionSteps(widths=widths, training="labels")
        yield from _smaller(replace(compression, group=NARROWED, variant=share, steps=steps))
    refitted = CompressionSteps(widths=WIDTHS[OTHERWISE_TRAINED])
    yield replace(compression, group=OTHERWISE, variant=REFITTED, steps=refitted)
    distilled = replace(refitted, training="logits")
    yield replace(compression, group=OTHERWISE, variant=DISTILLED, steps=distilled)
    for name, epochs in scratch_epochs(recipe, fine_tuning).items():
        scratch = replace(recipe, model=WIDTHS[OTHERWISE_TRAINED], norm="batch-after-pool", epochs=epochs)
        yield Trial(group=OTHERWISE, variant=name, recipe=scratch, images=images)


def scratch_epochs(original: Recipe, fine_tuning: Recipe) -> dict[str, int]:
    """Epochs of training from scratch: those of the original and its fine-tuning, or as many multiply-adds.

    Scratch-E and Scratch-B of Liu et al. 2019, section 3.
    """
    assert isinstance(original.epochs, int) and isinstance(fine_tuning.epochs, int)
    large, small = zoo.resolve(ORIGINAL), zoo.resolve(WIDTHS[OTHERWISE_TRAINED])
    small = replace(small, input=large.input, classes=large.classes)
    ratio = trace(large).totals.macs / trace(small).totals.macs
    return {
        SCRATCH_E: original.epochs + fine_tuning.epochs,
        SCRATCH_B: round(ratio * original.epochs) + fine_tuning.epochs,
    }


def _with_bits(network: Trial, bits: tuple[int, ...]) -> Iterator[Trial]:
    """``network`` in fp32, and the same quantized."""
    yield network
    for count in bits:
        steps = replace(network.steps, bits=count)
        yield replace(network, variant=bits_name(count), steps=steps)


def _smaller(network: Trial) -> Iterator[Trial]:
    """A pruned or narrowed network in fp32, and quantized after its fine-tuning: a group for each."""
    method = network.group
    in_fp32 = replace(network, group=group_name(method, FP32))
    yield in_fp32
    for count in BITS_OF_SMALLER:
        yield replace(
            network,
            group=group_name(method, bits_name(count)),
            steps=CompressionSteps(bits=count),
            initialized_from=in_fp32,
        )


STUDY = Study(
    name="compress",
    title="How small, and by which means?",
    question="A trained network with fewer bits a weight, with fewer weights (unstructured pruning) or with "
    "fewer channels (narrowing): how many times smaller is its file at no more than 0.1 points below the "
    "original, which is more accurate at equal bytes, which is faster, and is a narrow network trained from "
    "scratch as good?",
    source="Han, Mao and Dally 2016, arXiv 1510.00149; Mao et al. 2017, arXiv 1705.08922; Liu et al. 2019, "
    "arXiv 1810.05270",
    protocol="vgg-tiny, trained for 6 epochs by Muon (0.08; SGD 0.3), with validation images. Unstructured "
    "pruning keeps the weights of the largest magnitude in the whole network, batch norms folded "
    "(torch.nn.utils.prune); narrowing removes channels and refits those that stay. Both are fine-tuned "
    "for 3 epochs by AdamW (2e-3) with labels, then quantized with compensation (GPTQ), and stored with "
    "Huffman coding. Scratch-E has the recipe of the original and as many epochs as the original and its "
    "fine-tuning together, Scratch-B as many multiply-adds. Validation images choose; test images are "
    "read once for each network.",
    trials=_trials,
    conclude=conclude,
    published=PublishedTable(
        caption="Findings of the papers",
        header=("paper", "network and data", "finding"),
        rows=(
            ("Han et al. 2016", "AlexNet, ImageNet", "35 times smaller without loss, 6.9 MB"),
            ("Han et al. 2016", "VGG16, ImageNet", "49 times smaller without loss, 11.3 MB"),
            ("Han et al. 2016", "both", "9 to 13 times by pruning, 27 to 31 with quantization"),
            ("Mao et al. 2017", "ImageNet", "coarse-grained sparsity takes fewer bytes than single weights"),
            (
                "Liu et al. 2019",
                "VGG16, CIFAR-10",
                "fine-tuned 93.41 %, Scratch-E 93.62 %, Scratch-B 93.78 %",
            ),
        ),
    ),
)
