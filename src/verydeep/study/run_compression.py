"""Runs one compression of a study: the steps of ``verydeep compress``, and unstructured pruning by torch."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.nn.utils import convert_conv2d_weight_memory_format, prune

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Conv
from verydeep.compress.calibration import Calibration
from verydeep.compress.latency import latencies_ms
from verydeep.compress.layer_inputs import weighted_layers
from verydeep.compress.narrow.narrowing import prepare_narrowing
from verydeep.compress.narrow.widths import Width
from verydeep.compress.steps.distill import distill, read_teacher
from verydeep.compress.steps.fold import fold
from verydeep.compress.steps.quantize import quantize
from verydeep.data.images import Dataset
from verydeep.machine import Device
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.study.accuracy import top1
from verydeep.study.trial import CompressedNetwork, CompressionSteps
from verydeep.train.device import choose_device
from verydeep.train.epoch_result import EpochResult
from verydeep.train.loop import fit
from verydeep.train.recipe import Recipe
from verydeep.train.run import fabric_on, training_inputs
from verydeep.train.state import initial_state
from verydeep.weight_files.checkpoint_file import save


@dataclass(frozen=True, kw_only=True)
class Compression:
    """A compressed network with what was measured of it."""

    network: Checkpoint
    epochs: tuple[EpochResult, ...]
    """Of its fine-tuning."""
    test_top1: float
    measured: CompressedNetwork


def compress(
    source: Checkpoint,
    steps: CompressionSteps,
    recipe: Recipe,
    data: Dataset,
    folder: Path,
    device: Device = "auto",
) -> Compression:
    """``source`` after ``steps``, saved in ``folder``.

    Args:
        source: a trained network.
        steps: what is done to it.
        recipe: of the training that follows pruning or narrowing, and the seed of each step.
        data: with validation images; those that are left for training calibrate.
        folder: of the result, made here.
        device: that fine-tunes; the other steps run on the CPU.

    Raises:
        LearningError: where fine-tuning does not learn.
    """
    calibration = Calibration(pixels=data.train.pixels, seed=recipe.seed)
    folded = network = fold(source, calibration).checkpoint
    epochs: list[EpochResult] = []
    if steps.widths is not None:
        network = _narrowed(network, zoo.resolve(steps.widths), calibration)
    if steps.keep < 1:
        network = pruned(network, steps.keep)
    if steps.training == "labels":
        network, epochs = fine_tuned(network, recipe, data, device)
    elif steps.training == "logits":
        assert isinstance(recipe.epochs, int)
        teacher = read_teacher(folded, calibration, flips=recipe.augment.flip != "none")
        network = distill(network, calibration, teacher, recipe.epochs).checkpoint
    if steps.bits is not None:
        network = quantize(network, calibration, steps.bits).checkpoint
    network = replace(network, origin={})  # it has the recipe and the accuracy of the source
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / ("model.safetensors" if steps.bits is None else "model.vdz")
    save(network, file)
    assert data.val is not None
    return Compression(
        network=network,
        epochs=tuple(epochs),
        test_top1=top1(network, data.test),
        measured=CompressedNetwork(
            val_top1=top1(network, data.val),
            bytes=file.stat().st_size,
            nonzero=nonzero_share(network.model),
            speedup=_speedup(folded, network) if steps.bits is None else None,
        ),
    )


def pruned(network: Checkpoint, keep: float) -> Checkpoint:
    """``network`` with the share ``keep`` of its weights, the others zero: the largest magnitudes of all."""
    model = copy.deepcopy(network.model)
    layers = [(layer, "weight") for layer in weighted_layers(model).values()]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=1 - keep)
    for layer, name in layers:
        prune.remove(layer, name)
    return replace(network, model=model)


def fine_tuned(
    network: Checkpoint, recipe: Recipe, data: Dataset, device: Device = "auto"
) -> tuple[Checkpoint, list[EpochResult]]:
    """``network`` trained by ``recipe``; weights that are zero stay zero."""
    fabric = fabric_on(choose_device(device), recipe.precision)
    state = initial_state(recipe, copy.deepcopy(network.model), len(data.train), fabric)
    with (
        training_inputs(recipe, state, network.preprocess, data.train, data.val, fabric) as inputs,
        _zeros_kept(state.model),
    ):
        epochs = list(fit(state, recipe, inputs, fabric))
    model = state.model.cpu().eval()
    model.zero_grad()
    convert_conv2d_weight_memory_format(model, torch.contiguous_format)
    return replace(network, model=model), epochs


@contextmanager
def _zeros_kept(model: Classifier) -> Iterator[None]:
    """Inside, the zeros of each layer that has some are masked, in the forward pass and the gradients."""
    sparse = [layer for layer in weighted_layers(model).values() if bool((layer.weight == 0).any())]
    for layer in sparse:
        prune.custom_from_mask(layer, "weight", layer.weight != 0)
    yield
    for layer in sparse:
        prune.remove(layer, "weight")


def _narrowed(network: Checkpoint, target: Architecture, calibration: Calibration) -> Checkpoint:
    """``network`` with the widths of ``target``, which has the same layers."""
    narrowing = prepare_narrowing(network, calibration)
    return narrowing.narrowed(_channels(narrowing.widths, target)).checkpoint


def _channels(widths: Sequence[Width], target: Architecture) -> dict[str, int]:
    """The channels that ``target`` has, by producer."""
    channels = {}
    for width in widths:
        if width.layer is None:
            channels[width.producer] = target.head.hidden[width.number]
        elif isinstance(layer := target.layers[width.layer], Conv):
            channels[width.producer] = layer.channels
    return channels


def nonzero_share(model: Classifier) -> float:
    """The share of the weights that are not zero; biases do not count."""
    weights = [layer.weight for layer in weighted_layers(model).values()]
    return sum(int(each.count_nonzero()) for each in weights) / sum(each.numel() for each in weights)


def _speedup(before: Checkpoint, after: Checkpoint) -> float:
    """How many times faster ``after`` is, batch 1, one thread."""
    before_ms, after_ms = latencies_ms([before.model, after.model], batch=1, threads=1)
    return before_ms / after_ms
