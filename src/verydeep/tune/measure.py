"""Measures what was chosen, once, on the test images, and states every decision with its reason."""

from dataclasses import replace
from datetime import datetime

import torch
from jaxtyping import Float32
from torch import Tensor

from verydeep.added_images.earlier_network import (
    Comparison,
    compare_with_earlier,
    has_same_features,
    predicted_by,
)
from verydeep.data.label_file import LabelRow
from verydeep.data.split_parts import indices_of
from verydeep.evaluate.doubtful_labels import doubtful_labels
from verydeep.evaluate.evaluation import evaluate_logits
from verydeep.evaluate.metrics import most_confident_mistakes
from verydeep.image_sources.samples import Samples
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.device import describe
from verydeep.train.run_folder import RunFolder
from verydeep.train.start.pretrained import last_layer
from verydeep.tune.choice import Candidate, Choice
from verydeep.tune.config import NO_LIMIT, TuneConfig
from verydeep.tune.data_quality import data_quality
from verydeep.tune.prepare import balance_text, part_sizes
from verydeep.tune.probe import Probed, pool_of
from verydeep.tune.result import MistakenImage, TuneResult
from verydeep.tune.strategies import logits_of_test

PRECISION = {"fp32": "fp32", "bf16": "features in bf16, test images in fp32"}


def measure(
    probed: Probed, choice: Choice, network: Checkpoint, folder: RunFolder, started: datetime
) -> TuneResult:
    """The result of a run, but for its seconds and warnings.

    Args:
        probed: the images, and what was asked.
        choice: the strategies that were run. Only the one that is kept is measured on the test images, or
            all of them for the strategy ``compare``.
        network: the chosen one as it was saved.
        folder: the run folder.
        started: when the run began.
    """
    task, read, chosen = probed.task, probed.read, choice.chosen
    test = read.samples.select(indices_of(read.samples, "test"))
    measured = choice.candidates if task.config.strategy == "compare" else (chosen,)
    logits = {each.result.strategy: logits_of_test(each, read) for each in measured}
    evaluations = {
        each.result.strategy: evaluate_logits(
            logits[each.result.strategy],
            test.labels,
            test.classes,
            groups=test.groups,
            temperature=each.temperature if each.temperature != 1 else None,
        )
        for each in measured
    }
    strategy = chosen.result.strategy
    run = [replace(each.result, test=evaluations.get(each.result.strategy)) for each in choice.candidates]
    return TuneResult(
        run=folder.path,
        location=task.location,
        asked=probed.asked,
        decided=decided_config(task.config, chosen),
        architecture=network.model.architecture,
        preprocess=network.preprocess,
        origin=network.origin,
        images=read.summary,
        parts=part_sizes(read.samples),
        size_reason=task.size_reason,
        fit_reason=task.fit_reason,
        weights_reason=task.weights_reason,
        head_reason=probed.head_reason,
        balance=balance_text(pool_of(read), probed.asked),
        features=read.cost,
        probe=None if probed.probe is None else probed.probe.validation,
        strategies=(*run, *choice.skipped),
        chosen=strategy,
        reason=choice.reason,
        test=evaluations[strategy],
        calibration=chosen.calibration,
        comparison=_comparison(probed, test, logits[strategy]),
        findings=data_quality(task, read.samples),
        mistakes=_mistakes(logits[strategy] / chosen.temperature, test),
        doubtful_labels=_doubtful(probed, logits[strategy] / chosen.temperature, test),
        warnings=(),
        machine=describe(task.device, "32-true") | {"precision": PRECISION[task.precision]},
        started=started,
        seconds=0.0,
    )


def _comparison(probed: Probed, test: Samples, logits: Float32[Tensor, "test classes"]) -> Comparison | None:
    """With the network of the earlier run, which needs no images where its features are those of this run."""
    earlier, task, read = probed.task.earlier, probed.task, probed.read
    if earlier is None:
        return None
    network = earlier.network

    def earlier_logits(samples: Samples) -> Float32[Tensor, "known earlier"]:
        if read.features is None or not has_same_features(network, task.network):
            return predicted_by(network, samples, task.device)
        index_of = {name: index for index, name in enumerate(read.samples.names)}
        features = read.features[[index_of[name] for name in samples.names]]
        with torch.inference_mode():
            before: Tensor = last_layer(network.model)(features)
            return before

    return compare_with_earlier(earlier, test, logits, earlier_logits)


def decided_config(config: TuneConfig, chosen: Candidate) -> TuneConfig:
    """``config`` with the strategy that was chosen, and its training as it was planned."""
    strategy, recipe = chosen.result.strategy, chosen.recipe
    kept = replace(config, strategy=strategy, budget=NO_LIMIT)
    if recipe is None:
        return kept
    if strategy == "scratch":
        return replace(kept, scratch=replace(config.scratch, epochs=recipe.epochs))
    fine_tune = replace(config.fine_tune, freeze=recipe.freeze, epochs=recipe.epochs)
    return replace(kept, fine_tune=fine_tune)


def _doubtful(
    probed: Probed, test_logits: Float32[Tensor, "test classes"], test: Samples
) -> tuple[LabelRow, ...]:
    """Of the test images by the network, of all others by cross-validation: none was trained on its image."""
    doubtful = doubtful_labels(test_logits.numpy(), test.labels, test.classes, test.names)
    probe = probed.probe
    if probe is not None and probe.held_out_logits is not None:
        pool, logits = pool_of(probed.read), probe.held_out_logits / probe.validation.temperature
        doubtful += doubtful_labels(logits.numpy(), pool.labels, pool.classes, pool.names)
    return tuple(sorted(doubtful, key=lambda row: -(row.confidence or 0)))


def _mistakes(logits: Float32[Tensor, "test classes"], test: Samples) -> tuple[MistakenImage, ...]:
    return tuple(
        MistakenImage(
            name=test.names[mistake.index],
            source=test.sources[mistake.index],
            label=mistake.label,
            predicted=mistake.predicted,
            confidence=mistake.confidence,
        )
        for mistake in most_confident_mistakes(logits.numpy(), test.labels, test.classes)
    )
