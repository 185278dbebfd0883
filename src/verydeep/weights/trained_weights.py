"""Step 4 of loading: trained weights in the keys and shapes of this package, as fp32, ready to use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError
from verydeep.name_list import first_names
from verydeep.weight_files import checkpoint_file as checkpoint
from verydeep.weight_files.checks import check_type, non_finite
from verydeep.weight_files.read import WeightFile
from verydeep.weights.class_names import class_names
from verydeep.weights.compare import Match
from verydeep.weights.key_maps import fully_connected
from verydeep.weights.preprocessing import preprocess_of


@dataclass(frozen=True)
class TrainedWeights:
    """The tensors of a trained network, and what is needed to use them."""

    path: Path
    architecture: Architecture
    tensors: Mapping[str, Tensor]
    has_head: bool
    preprocess: Preprocess
    classes: tuple[str, ...]
    """Empty where there is no head."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """From a verydeep checkpoint: how the weights were trained."""
    trained_preprocess: Preprocess | None = None
    """From a verydeep checkpoint: the preprocessing for which ``origin`` holds."""


def from_weight_file(file: WeightFile, match: Match, preprocess: Preprocess | None) -> TrainedWeights:
    """The weights of ``match`` in ``file``; None for ``preprocess`` is what preprocessing.py recognizes."""
    tensors = converted_tensors(file, match)
    preprocess = (
        preprocess.for_input(*match.architecture.input[:2]) if preprocess else preprocess_of(file, match)[0]
    )
    classes = class_names(match.architecture.classes) if match.has_head else ()
    return TrainedWeights(file.path, match.architecture, tensors, match.has_head, preprocess, classes)


def converted_tensors(file: WeightFile, match: Match) -> dict[str, Tensor]:
    """The tensors of ``match`` by the keys of this package, in its layout, as fp32.

    Raises:
        CheckpointError: where one is not of a floating-point type, or holds NaN or infinity.
    """
    tensors: dict[str, Tensor] = {}
    for row in match.rows:
        tensor = file.tensors[row.file_key]
        if row.is_optional:
            tensors[row.key] = tensor.to(torch.int64)
            continue
        check_type(file.path, row.file_key, tensor)
        tensors[row.key] = row.tensor_layout.from_file(tensor).float().contiguous()
    if bad := non_finite(tensors):
        file_keys = [row.file_key for row in match.rows if row.key in bad]
        raise CheckpointError(
            f"{file.path} holds values that are not finite in {first_names(file_keys)}: the training "
            "diverged, or the file is damaged. Use an earlier checkpoint"
        )
    return tensors


def from_checkpoint(
    path: Path, preprocess: Preprocess | None, *, features_only: bool, verify: bool = True
) -> TrainedWeights:
    """The weights in a verydeep checkpoint or run folder; None for ``preprocess`` is the one in it.

    Raises:
        CheckpointError: where it is broken.
    """
    loaded = checkpoint.load(path, verify=verify)
    model = loaded.model
    classes = () if features_only else loaded.classes
    left_out = () if classes else tuple(f"{layer}." for layer in fully_connected(model))
    tensors = {key: value for key, value in model.state_dict().items() if not key.startswith(left_out)}
    needed = preprocess.for_input(*model.architecture.input[:2]) if preprocess else loaded.preprocess
    return TrainedWeights(
        path, model.architecture, tensors, bool(classes), needed, classes, loaded.origin, loaded.preprocess
    )
