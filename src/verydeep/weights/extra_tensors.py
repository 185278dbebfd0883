"""Tensors of a file that belong to no layer of its network: harmless ones, and those of another network."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

_METRIC = re.compile(
    r"(^|[._])(criterion|loss|losses|loss_fn|loss_func|metrics?|acc|accuracy|auroc|f1|confmat"
    r"|confusion_matrix)([._\d]|$)",
    re.IGNORECASE,
)
"""Modules that a LightningModule has beside its network: class weights of a loss, states of a metric."""


def harmless(tensors: Mapping[str, Tensor], keys: Iterable[str]) -> tuple[str, ...]:
    """The ``keys`` of counters, single numbers, and the tensors of losses and metrics."""
    return tuple(key for key in keys if _is_harmless(key, tensors[key]))


def _is_harmless(key: str, tensor: Tensor) -> bool:
    is_number = tensor.is_floating_point() or tensor.is_complex()
    return not is_number or tensor.ndim == 0 or (tensor.ndim < 3 and bool(_METRIC.search(key)))


def inside(trunk: Iterable[str], keys: Iterable[str]) -> tuple[str, ...]:
    """The ``keys`` that are named like tensors of the ``trunk``: such a network computes something else."""
    modules = {_module(key) for key in trunk}
    return tuple(key for key in keys if _module(key) in modules)


def _module(key: str) -> str:
    """``layer#`` for ``layer1.0.se.fc1.weight``, ``block#_conv#`` for ``block3_conv4/kernel``."""
    module = re.split(r"[./]", key, maxsplit=1)[0]
    return re.sub(r"\d+", "#", module).replace("conv#d_#", "conv#d")
