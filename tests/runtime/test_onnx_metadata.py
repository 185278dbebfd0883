"""Metadata is read from any ONNX file, and a broken one is one line."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from verydeep.errors import CheckpointError
from verydeep.runtime.onnx_metadata import onnx_metadata


def model(metadata):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    weights = helper.make_tensor("w", TensorProto.FLOAT, [300], np.zeros(300, dtype=np.float32))
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [value],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        [weights],
    )
    made = helper.make_model(graph)
    helper.set_model_props(made, metadata)
    return made.SerializeToString()


def test_it_is_that_of_the_library(tmp_path):
    metadata = {"verydeep": "{" + "x" * 400 + "}", "empty": "", "Größe": "한국어"}
    file = tmp_path / "x.onnx"
    file.write_bytes(model(metadata))
    assert onnx_metadata(file) == metadata
    assert {each.key: each.value for each in onnx.load(file).metadata_props} == metadata


@pytest.mark.parametrize("cut", [1, 40, 1000])
def test_a_truncated_file_is_one_line(tmp_path, cut):
    file = tmp_path / "x.onnx"
    file.write_bytes(model({"verydeep": "x" * 2000})[:-cut])
    with pytest.raises(CheckpointError, match="is not an ONNX file, or is truncated"):
        onnx_metadata(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="there is no file"):
        onnx_metadata(tmp_path / "x.onnx")


@given(content=st.binary(max_size=300))
def test_any_bytes_are_metadata_or_one_line(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("fuzz") / "x.onnx"
    file.write_bytes(content)
    try:
        assert isinstance(onnx_metadata(file), dict)
    except CheckpointError as error:
        assert "\n" not in str(error).removeprefix(str(file))
