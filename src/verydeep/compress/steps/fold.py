"""The step ``fold``: batch norms folded into their convolutions, so that the network has none."""

from dataclasses import replace

from torch import nn

from verydeep.compress.calibration import Calibration, StepResult
from verydeep.compress.layer_inputs import weighted_layers
from verydeep.errors import CompressionError
from verydeep.models.build import build_empty
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.fold_batch_norm import folded


def fold(checkpoint: Checkpoint, calibration: Calibration) -> StepResult:
    """``checkpoint`` with every batch norm folded, in float64: the same logits but for rounding.

    Calibration images are not needed.

    Raises:
        CompressionError: where a norm cannot be folded exactly: one after a max pool is exact only if all its
            scales are positive.
    """
    before = _norms(checkpoint.model)
    if not before:
        return StepResult(checkpoint, "no batch norm to fold")
    model = folded(checkpoint.model)
    if left := _norms(model):
        negative = sum(int((norm.weight <= 0).sum()) for norm in left)
        raise CompressionError(
            f"{len(left)} of {len(before)} batch norms cannot be folded exactly: they run after a max pool, "
            f"and {negative} of their scales are not positive. Train with `--norm batch`"
        )
    plain = build_empty(checkpoint.model.architecture.with_norm("none"))
    tensors = {
        f"{name}.{key}": tensor
        for name, layer in zip(weighted_layers(plain), weighted_layers(model).values(), strict=True)
        for key, tensor in layer.state_dict().items()
    }
    plain.load_state_dict(tensors, assign=True)
    return StepResult(replace(checkpoint, model=plain.eval()), f"{len(before)} batch norms folded")


def _norms(model: Classifier) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
