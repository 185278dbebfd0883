"""Measures a trained network: once on the validation images, and once on the test images."""

from datetime import datetime
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor

from verydeep.data.images import Images
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.data.split_parts import indices_of
from verydeep.evaluate.evaluation import Evaluation, evaluate_logits
from verydeep.evaluate.metrics import most_confident_mistakes
from verydeep.image_sources.part_names import Part
from verydeep.inputs.image_batches import batch_source
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.device import choose_precision, describe
from verydeep.train.loop import logits_of_source
from verydeep.train.prepare import Prepared
from verydeep.train.recipe import Recipe
from verydeep.train.result.train_result import TrainResult
from verydeep.train.run import Trained


def measure_training(
    trained: Trained,
    prepared: Prepared,
    *,
    recipe: Recipe,
    run: Path,
    started: datetime,
    device: torch.device,
) -> TrainResult:
    """The result of ``trained``, on the images of ``prepared``; the ranks share them.

    Args:
        trained: the network, and how it was trained.
        prepared: its images.
        recipe: by which it was trained.
        run: its run folder.
        started: when.
        device: where to compute.
    """
    dataset = prepared.dataset
    logits = _logits(trained.network, dataset.test, device)
    return TrainResult(
        run=run,
        recipe=recipe,
        dataset=dataset,
        architecture=trained.network.model.architecture,
        epochs=trained.epochs,
        validation=_validation(trained.network, dataset.val, _groups(prepared, "val"), device),
        test=evaluate_logits(logits, dataset.test.labels, dataset.classes, groups=_groups(prepared, "test")),
        mistakes=most_confident_mistakes(logits.numpy(), dataset.test.labels.numpy(), dataset.classes),
        test_names=_test_names(prepared),
        notes=(*prepared.notes, trained.unreadable) if trained.unreadable else prepared.notes,
        machine=describe(device, choose_precision(recipe.precision, device)),
        started=started,
        best_epoch=trained.best_epoch,
        seconds=trained.seconds,
    )


def _test_names(prepared: Prepared) -> tuple[str, ...]:
    if prepared.samples is None:
        return tuple(f"Test image {index}" for index in range(len(prepared.dataset.test)))
    return tuple(prepared.samples.names[i] for i in indices_of(prepared.samples, "test").tolist())


def _groups(prepared: Prepared, part: Part) -> tuple[str, ...] | None:
    """The group of each image of ``part``; None where images are independent."""
    samples = prepared.samples
    if samples is None or samples.groups is None:
        return None
    return tuple(samples.groups[index] for index in indices_of(samples, part).tolist())


def _validation(
    network: Checkpoint,
    val: Images | ImagesOnDisk | None,
    groups: tuple[str, ...] | None,
    device: torch.device,
) -> Evaluation | None:
    if val is None:
        return None
    return evaluate_logits(_logits(network, val, device), val.labels, val.classes, groups=groups)


def _logits(
    network: Checkpoint, images: Images | ImagesOnDisk, device: torch.device
) -> Float32[Tensor, "count classes"]:
    source = batch_source(images, network.preprocess, device, channels_last=False)
    return logits_of_source(network.model, source)
