"""Refits a narrowed network layer by layer, so that each makes up for the errors of those before it."""

from collections.abc import Mapping

from jaxtyping import Float32
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.compress.calibration import Calibration
from verydeep.compress.layer_inputs import MAX_INPUTS, Layer, layer_inputs, weight_matrix
from verydeep.compress.narrow.least_squares import fit_layer
from verydeep.models.classifier import Classifier


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
    for inputs in layer_inputs(model, calibration, preprocess):
        if weight_matrix(inputs.layer).shape[1] > MAX_INPUTS:
            continue
        rows = inputs.rows(sampled_by[inputs.name])
        fit_layer(inputs.layer, rows, wanted[inputs.name], inputs.images(len(rows)))
