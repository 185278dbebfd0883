"""INT8 in OpenVINO: static quantization by NNCF, with its correction of biases."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from verydeep.errors import CheckpointError
from verydeep.runtime.bundle import CLASS_MAPS, FILES, LOGITS
from verydeep.runtime.extras import import_runtime


def quantize_openvino(
    onnx: Path, folder: Path, images: Float32[np.ndarray, "count channels height width"]
) -> None:
    """Write the network in the file ``onnx`` to ``folder`` as OpenVINO IR in INT8.

    The ranges of activations are those of the smallest and the largest value: NNCF's own estimate cuts large
    ones: the logits of a tuned VGG16 were .16 off instead of .04. The last linear layer stays in fp32.

    Args:
        onnx: the network.
        folder: gets ``model.xml`` and ``model.bin``.
        images: preprocessed; they decide the range of each layer's output.

    Raises:
        CheckpointError: if OpenVINO or NNCF is not installed.
    """
    openvino = import_runtime("openvino")
    model = openvino.convert_model(onnx)
    with _quiet():
        nncf = _import_nncf()
        estimators: Any = import_module("nncf.quantization.range_estimator").RangeEstimatorParametersSet
        quantized = nncf.quantize(
            model,
            nncf.Dataset([image[None] for image in images]),
            preset=nncf.QuantizationPreset.MIXED,  # inputs have another mean than 0
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(names=_last_layers(model)),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                activations_range_estimator_params=estimators.MINMAX
            ),
        )
    openvino.save_model(quantized, folder / FILES["openvino"], compress_to_fp16=False)


def _import_nncf() -> Any:
    try:
        return import_module("nncf")
    except ImportError as error:
        raise CheckpointError(
            f"INT8 for OpenVINO needs nncf ({error}). Install it: pip install 'verydeep[openvino]'"
        ) from None


def _last_layers(model: Any) -> list[str]:
    """The names of the layers whose outputs are the logits and the class maps."""
    layers = []
    for output in model.outputs:
        if {LOGITS, CLASS_MAPS} & output.get_names():
            node = output.get_node().input_value(0).get_node()
            while node.get_type_name() == "Add":  # the bias
                node = node.input_value(0).get_node()
            layers.append(node.get_friendly_name())
    return layers


@contextmanager
def _quiet() -> Iterator[None]:
    """Without NNCF's log and progress bars, which go to stdout."""
    logger = logging.getLogger("nncf")
    level = logger.level
    with redirect_stdout(io.StringIO()):
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
