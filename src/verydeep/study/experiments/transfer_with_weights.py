"""The study of transfer learning with published weights, on any images."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from verydeep.architecture.layer_names import stage_starts
from verydeep.data.images import Dataset
from verydeep.download.download import Progress
from verydeep.errors import DataError
from verydeep.study.experiments.few_images import NETWORK, recipe
from verydeep.study.experiments.transfer import (
    COUNTS,
    FINE_TUNED,
    FULL_SEEDS,
    PROBE,
    SEEDS,
    STUDY,
    from_scratch,
)
from verydeep.study.study_data import SIZE
from verydeep.study.trial import Study, Trial
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.start.pretrained import pretrained_network

TUNING_BATCH, TUNING_STEPS = 25, 200
"""Of fine-tuning published weights: batch size, and minimum number of steps."""
TUNED = 2
"""The last stages that it trains."""


def transfer_with_weights(weights: str, dataset: Dataset, progress: Progress | None = None) -> Study:
    """The study of all classes of ``dataset``, with published weights.

    Raises:
        CheckpointError: where there are no such weights.
        DataError: where a class has fewer images than the smallest number of ``COUNTS``.
    """
    sizes = dataset.train.labels.bincount(minlength=len(dataset.classes))
    if int(sizes.min()) < COUNTS[0]:
        raise DataError(
            f"{dataset.classes[int(sizes.argmin())]!r} has {int(sizes.min())} training images, and transfer "
            f"needs {COUNTS[0]} of each class; add images, or leave this class out"
        )
    channels = dataset.train.image_shape[0]
    network = pretrained_network(weights, None, "gap", dataset.classes, 0, channels, progress)
    frozen = max(0, len(stage_starts(network.model.architecture)) - TUNED)
    return replace(
        STUDY,
        question="A linear probe on the frozen features of published weights, fine-tuning, or a small "
        "network trained from scratch: which is best for how many training images, and where do the curves "
        "cross?",
        protocol=f"{weights} with global average pooling, and {NETWORK} with batch norm from scratch; images "
        f"of {SIZE} px; each seed has other training images. From scratch: 20 epochs, or more where these "
        "are fewer than 500 steps; SGD with momentum 0.9, learning rate 0.05. Linear probe: the same epochs; "
        f"AdamW, learning rate 0.001. Fine-tuning: the first {frozen} stages frozen; 5 epochs, or more where "
        f"these are fewer than {TUNING_STEPS} steps of {TUNING_BATCH} images; AdamW, learning rate 0.0001. "
        "All with linear warmup for a tenth of the steps and linear decay, weight decay 5e-4; nothing is "
        "done about class imbalance. The rates were fixed beforehand.",
        trials=partial(_published_trials, weights, frozen, tuple(sizes.tolist())),
    )


def _published_trials(weights: str, frozen: int, sizes: tuple[int, ...], full: bool) -> tuple[Trial, ...]:
    return tuple(
        trial
        for seed in range(FULL_SEEDS if full else SEEDS)
        for trial in _with_published(weights, frozen, sizes, seed, full)
    )


def _with_published(
    weights: str, frozen: int, sizes: tuple[int, ...], seed: int, full: bool
) -> Iterator[Trial]:
    """The trials of one seed, with at most as many images a class as the smallest of ``sizes``."""
    base = replace(recipe(seed), size=SIZE, model=NETWORK, norm="batch", epochs="auto", balance="none")
    pretrained = replace(base, weights=weights, model=None, norm=None)
    adam = OptimizerConfig(name="adamw", lr=1e-3, weight_decay=5e-4)
    for count in (*(count for count in COUNTS if count <= min(sizes)), *((None,) if full else ())):
        target = from_scratch(base, count)
        images = sum(sizes) if count is None else count * len(sizes)
        fine_tuned = replace(
            pretrained,
            freeze=frozen,
            batch_size=TUNING_BATCH,
            epochs=max(5, -(-TUNING_STEPS // max(1, images // TUNING_BATCH))),
            optimizer=replace(adam, lr=1e-4),
        )
        tuned = replace(target, kind="fine-tuning")
        yield replace(tuned, variant=PROBE, recipe=replace(pretrained, freeze="all", optimizer=adam))
        yield replace(tuned, variant=FINE_TUNED, recipe=fine_tuned)
        yield target
