"""``--runtime auto``: what is timed, what is kept, and what is measured again."""

import json

import numpy as np
import pytest

from verydeep.errors import CheckpointError
from verydeep.export.export_bundle import ExportRequest, export_bundle
from verydeep.runtime import fastest_runtime
from verydeep.runtime.exported_network import ExportedNetwork
from verydeep.runtime.extras import TIMINGS
from verydeep.runtime.fastest_runtime import load_fastest

from ..export.networks import NETWORKS, SIZE


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    for name, format_ in (("x.onnx", "onnx"), ("ncnn", "ncnn")):
        export_bundle(NETWORKS["gap"](3), folder / name, ExportRequest(format=format_, size=SIZE))
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of the kept times."""
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fastest_runtime, "SECONDS", 0.3)
    return tmp_path / "cache" / TIMINGS


def test_the_fastest_is_taken_and_kept(bundles, cache):
    first = load_fastest(bundles / "x.onnx", batch=7)
    times = first.choice.ms_per_image
    assert set(times) == {"onnxruntime", "openvino"} and not first.is_kept
    assert first.network.runtime == min(times, key=times.get) and first.choice.batch == 4
    assert "ms an image, batch 4, measured now and kept" in first.line
    again = load_fastest(bundles / "x.onnx", batch=4)
    assert again.is_kept and again.choice == first.choice and "kept from before" in again.line
    assert again.network.runtime == first.network.runtime
    assert len(list(cache.iterdir())) == 1


def test_other_threads_batches_and_files_are_measured_anew(bundles, cache, tmp_path):
    load_fastest(bundles / "x.onnx")
    assert not load_fastest(bundles / "x.onnx", threads=1).is_kept
    assert not load_fastest(bundles / "x.onnx", batch=16).is_kept
    other = tmp_path / "other.onnx"
    export_bundle(NETWORKS["residual"](3), other, ExportRequest(format="onnx", size=SIZE))
    assert not load_fastest(other).is_kept
    (tmp_path / "copy.onnx").write_bytes((bundles / "x.onnx").read_bytes())
    assert load_fastest(tmp_path / "copy.onnx").is_kept


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"runtime": "torch"}', b'{"runtime": "ncnn"}'])
def test_a_damaged_file_is_measured_again(bundles, cache, content):
    load_fastest(bundles / "x.onnx")
    (file,) = cache.iterdir()
    file.write_bytes(content)
    assert not load_fastest(bundles / "x.onnx").is_kept
    assert json.loads(file.read_bytes())["batch"] == 1


def test_a_runtime_that_is_gone_is_not_taken(bundles, cache):
    load_fastest(bundles / "x.onnx")
    (file,) = cache.iterdir()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"runtime": "ncnn"}), encoding="utf-8")
    assert load_fastest(bundles / "x.onnx").network.runtime in ("onnxruntime", "openvino")


def test_a_runtime_that_disagrees_is_left_out(bundles, cache, monkeypatch):
    def logits(network, pixels):
        right = original(network, pixels)
        return right * np.float32(1.1) if network.runtime == "openvino" else right

    original = ExportedNetwork.logits
    monkeypatch.setattr(ExportedNetwork, "logits", logits)
    fastest = load_fastest(bundles / "x.onnx")
    assert fastest.network.runtime == "onnxruntime"
    assert "without openvino: its logits differ from onnxruntime's by 0.1 of the largest" in fastest.line


def test_one_runtime_needs_no_timing(bundles, cache):
    fastest = load_fastest(bundles / "ncnn")
    assert fastest.line == "Runtime ncnn, the only one installed for this format"
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_does_not_matter(bundles, tmp_path, cache, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path / "file"))
    assert load_fastest(bundles / "x.onnx").choice.ms_per_image


def test_a_broken_file_is_one_error(bundles, cache, tmp_path):
    (tmp_path / "x.onnx").write_bytes((bundles / "x.onnx").read_bytes()[:-3000])
    with pytest.raises(CheckpointError, match="truncated"):
        load_fastest(tmp_path / "x.onnx")
