"""Refits a narrowed network layer by layer, so that each makes up for the errors of those before it."""

from collections.abc import Mapping

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from verydeep.architecture.preprocess import Preprocess
from verydeep.compress.calibration import Calibration
from verydeep.compress.gram import Layer, chunk_images, input_rows, sampled_positions, weighted_layers
from verydeep.compress.narrow.least_squares import HELD_OUT, LayerFit
from verydeep.compress.narrow.widths import weighted_layer
from verydeep.data.normalize import normalize
from verydeep.models.classifier import Classifier
from verydeep.models.feature_steps import IMAGES, feature_steps


def refit(
    model: Classifier,
    calibration: Calibration,
    preprocess: Preprocess,
    wanted: Mapping[str, Float32[Tensor, "rows outputs"]],
    sampled_by: Mapping[str, Layer],
) -> None:
    """Change the weights of ``model`` in place, so that each layer gives the ``wanted`` outputs.

    Args:
        model: the narrowed network, with weights to start from.
        calibration: the images; the maps of one layer for all of them are in memory.
        preprocess: how they are normalized.
        wanted: the outputs of each layer in the original network, at the positions that this layer samples.
        sampled_by: the layers of the original network.
    """
    names = {layer: name for name, layer in weighted_layers(model).items()}
    steps = list(feature_steps(model))
    still_needed = [name for step in steps for name in step.inputs]
    chunks = calibration.pixels.split(chunk_images(preprocess.size))
    maps = {IMAGES: [normalize(chunk, preprocess) for chunk in chunks]}
    with torch.inference_mode():
        for step in steps:
            inputs = [maps[name] for name in step.inputs]
            for name in step.inputs:
                still_needed.remove(name)
                if name not in still_needed:
                    del maps[name]
            if (layer := weighted_layer(step)) is not None:
                name = names[layer]
                _refit_layer(layer, inputs[0], wanted[name], sampled_by[name], calibration)
            maps[step.name] = [step.module(*each) for each in zip(*inputs, strict=True)]


def _refit_layer(
    layer: Layer, chunks: list[Tensor], wanted: Tensor, sampled_by: Layer, calibration: Calibration
) -> None:
    places = layer(chunks[0][:1])[0, 0].numel() if isinstance(layer, nn.Conv2d) else 1
    positions = sampled_positions(sampled_by, places, len(calibration), calibration.seed)
    fit = LayerFit(layer)
    image = row = 0
    for chunk in chunks:
        rows = input_rows(layer, chunk, positions.of(image, len(chunk), places))
        images = torch.arange(image, image + len(chunk)).repeat_interleave(len(rows) // len(chunk))
        fit.add(rows, wanted[row : row + len(rows)], images % HELD_OUT == HELD_OUT - 1)
        image, row = image + len(chunk), row + len(rows)
    fit.set_weights()
