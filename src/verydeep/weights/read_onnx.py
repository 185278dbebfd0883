"""Reads the initializers of an ONNX file: its weights, under the names that the exporter kept."""

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from verydeep.errors import CheckpointError
from verydeep.weights.checks import broken_file_error
from verydeep.weights.read_tensors import tensor_from_array

if TYPE_CHECKING:
    import onnx


def read_onnx(path: Path) -> dict[str, Tensor]:
    """Every initializer by name, including those that are stored in another file of the same folder.

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
        for tensor in model.graph.initializer:
            _check_external_data(path, tensor)
        return {
            tensor.name: tensor_from_array(numpy_helper.to_array(tensor, base_dir=str(path.parent)))
            for tensor in model.graph.initializer
        }
    except CheckpointError:
        raise
    except Exception as error:  # protobuf and onnx raise their own errors, which have no common base class
        raise broken_file_error(path, "an ONNX", error) from None


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
