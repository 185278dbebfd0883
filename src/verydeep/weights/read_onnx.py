"""The initializers of an ONNX file: its weights, under the names that the exporter kept."""

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from verydeep.errors import CheckpointError
from verydeep.weights.checks import broken
from verydeep.weights.read_tensors import tensor_of

if TYPE_CHECKING:
    import onnx


def read_onnx(path: Path) -> dict[str, Tensor]:
    """Every initializer by name; those kept in a file beside ``path`` are read from there.

    Raises:
        CheckpointError: where the file is broken, its other file is absent or lies in another folder, or
            onnx is not installed.
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
            _check_beside(path, tensor)
        return {
            tensor.name: tensor_of(numpy_helper.to_array(tensor, base_dir=str(path.parent)))
            for tensor in model.graph.initializer
        }
    except CheckpointError:
        raise
    except Exception as error:  # protobuf and onnx raise their own kinds, which have no common root
        raise broken(path, "an ONNX", error) from None


def _check_beside(path: Path, tensor: "onnx.TensorProto") -> None:
    """Refuse a tensor whose bytes are not in a whole file in the folder of ``path``."""
    places = [entry.value for entry in tensor.external_data if entry.key == "location"]
    for place in places:
        if Path(place).name != place:
            raise CheckpointError(
                f"{path} keeps {tensor.name} in {place!r}, outside its folder: it is refused"
            )
        if not (path.parent / place).is_file():
            raise CheckpointError(
                f"{path} keeps its weights in {place}, which is not beside it. Copy it there too"
            )
