"""Reads the weights of an ONNX file: its initializers of floating point, under the names of their layers.

Integer initializers are shapes and axes, which torch's exporter stores beside the weights. Where a batch
norm was folded into its convolution, the exporter made a new bias, the older one new weights too
(``_layer_keys``).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from verydeep.errors import CheckpointError
from verydeep.weight_files.checks import broken_file_error
from verydeep.weight_files.onnx_order import in_state_dict_order
from verydeep.weight_files.read_tensors import tensor_from_array

if TYPE_CHECKING:
    import onnx

_FLOAT_TYPES = {1: 4, 10: 2, 11: 8, 16: 2}
"""The bytes of a value by data type: FLOAT, FLOAT16, DOUBLE and BFLOAT16."""
MOST_SHARED = 4
"""How often tensors may use the same bytes: those of layers that share their weights."""


def read_onnx(path: Path) -> dict[str, Tensor]:
    """Every weight by name, including those that are stored in another file of the same folder.

    Raises:
        CheckpointError: where the file is broken, its other file is missing or in another folder, or onnx is
            not installed.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise CheckpointError(
            f"{path} is an ONNX file: reading it needs onnx. Install it: pip install 'verydeep[weights]'"
        ) from None
    try:
        model = onnx.load(path, load_external_data=False)
        weights = [tensor for tensor in model.graph.initializer if tensor.data_type in _FLOAT_TYPES]
        for tensor in weights:
            _check_external_data(path, tensor)
        _check_size(path, weights)
        keys = _layer_keys(model.graph)
        return {
            keys.get(tensor.name, tensor.name): tensor_from_array(
                _in_numpy_type(numpy_helper.to_array(tensor, base_dir=str(path.parent)))
            )
            for tensor in weights
        }
    except CheckpointError:
        raise
    except Exception as error:  # protobuf and onnx raise their own errors, which have no common base class
        raise broken_file_error(path, "an ONNX", error) from None


def _in_numpy_type(array: NDArray[Any]) -> NDArray[Any]:
    """``array``, which has a type of the package ml_dtypes for bfloat16, that torch does not take."""
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def _layer_keys(graph: "onnx.GraphProto") -> dict[str, str]:
    """The keys of the weights and biases of convolutions that the exporter renamed, by the name in the file.

    torch's exporter calls the bias of a folded batch norm ``conv1.weight_bias``; the one before it calls both
    tensors ``onnx::Conv_193`` and the like, which become ``conv.0.weight``, ``conv.0.bias`` in the order of a
    state dict: a shortcut after the convolutions beside it.
    """
    keys: dict[str, str] = {}
    convolutions = [node for node in graph.node if node.op_type == "Conv" and len(node.input) > 1]
    lost = [node for node in convolutions if not node.input[1].endswith(".weight")]
    order = {id(node): number for number, node in enumerate(in_state_dict_order(graph))} if lost else {}
    for node in convolutions:
        weight, *bias = node.input[1:]
        layer = weight.removesuffix(".weight") if not lost else f"conv.{order[id(node)]}"
        keys |= {weight: f"{layer}.weight"} | dict.fromkeys(bias, f"{layer}.bias")
    return keys


def _check_size(path: Path, weights: "Sequence[onnx.TensorProto]") -> None:
    """Refuse tensors that take far more bytes than the file and its other files have."""
    others = {each.value for tensor in weights for each in tensor.external_data if each.key == "location"}
    there = path.stat().st_size + sum((path.parent / name).stat().st_size for name in others)
    declared = sum(math.prod(tensor.dims) * _FLOAT_TYPES[tensor.data_type] for tensor in weights)
    if declared > MOST_SHARED * there:
        raise CheckpointError(
            f"{path} declares tensors of {declared:,} bytes, of {there:,} that are there: it is damaged, or "
            "made to fill the memory"
        )


def _check_external_data(path: Path, tensor: "onnx.TensorProto") -> None:
    """Refuse a tensor whose data is in another folder, or in a file that does not exist."""
    locations = [entry.value for entry in tensor.external_data if entry.key == "location"]
    for location in locations:
        if Path(location).name != location:
            raise CheckpointError(
                f"{path} stores {tensor.name} in {location!r}, outside its folder, which is refused. "
                "Save the model with its data in one folder"
            )
        if not (path.parent / location).is_file():
            raise CheckpointError(
                f"{path} stores its weights in {location}, which is not in the same folder. Copy it there"
            )
