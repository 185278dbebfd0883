"""Runtimes are timed side by side, each in a process of its own."""

import json

import numpy as np
import pytest

from verydeep.bench.candidate import Candidate
from verydeep.bench.measure import measure
from verydeep.cli.main import main
from verydeep.errors import CheckpointError
from verydeep.export.check_images import CheckImages, drawn_images
from verydeep.export.export_bundle import ExportRequest, export_bundle
from verydeep.weight_files.checkpoint_file import save

from ..export.conftest import make_network

FORM = {
    "runtime", "precision", "batch", "latency_ms", "images_per_second", "memory_mb", "disk_mb", "start_s",
    "agreement",
}  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "x.onnx"
    export_bundle(make_network("gap"), path, ExportRequest(format="onnx", size=24))
    return path


def test_a_bundle_is_timed_in_each_batch_size(bundle, capsys, tmp_path):
    page = tmp_path / "bench.html"
    arguments = [str(bundle), "--batch", "1", "3", "--runtimes", "onnxruntime", "--out", str(page)]
    assert main(["bench", *arguments, "--json"]) == 0
    assert "Batch 3: onnxruntime fp32" in page.read_text(encoding="utf-8")
    rows = json.loads(capsys.readouterr().out)
    assert [(row["runtime"], row["precision"], row["batch"]) for row in rows] == [
        ("onnxruntime", "fp32", 1), ("onnxruntime", "fp32", 3)
    ]  # fmt: skip
    for row in rows:
        assert row.keys() == FORM and row["latency_ms"].keys() == {"median", "p95"}
        assert 0 < row["latency_ms"]["median"] <= row["latency_ms"]["p95"]
        assert row["images_per_second"] == pytest.approx(1000 * row["batch"] / row["latency_ms"]["median"])
        assert row["agreement"] == 1
        assert row["disk_mb"] == bundle.stat().st_size / 1e6


@pytest.mark.slow
def test_a_run_is_compared_with_torch_and_a_bundle_needs_no_torch(tmp_path, capsys):
    save(make_network("gap"), tmp_path / "x.safetensors")
    arguments = [str(tmp_path / "x.safetensors"), "--batch", "1", "--runtimes", "torch", "onnxruntime"]
    assert main(["bench", *arguments, "--json"]) == 0
    first, *_, last = json.loads(capsys.readouterr().out)
    assert (first["runtime"], last["runtime"]) == ("torch", "onnxruntime")
    assert last["agreement"] == 1
    assert last["memory_mb"] < first["memory_mb"] and last["start_s"] < first["start_s"]


def test_accuracy_is_that_of_the_check_images(bundle):
    network = make_network("gap")
    pixels = drawn_images(network.preprocess).pixels
    labels = network.logits(pixels).argmax(1)
    labels[:4] = (labels[:4] + 1) % 3
    (row,) = measure(
        [Candidate("onnxruntime", "fp32", bundle)], network.preprocess, [2],
        CheckImages(pixels, labels.astype(np.int64), "16 drawn"), macs=1000, peak=1e9,
    )  # fmt: skip
    assert row.accuracy == 12 / 16 and row.agreement == 1
    assert row.share_of_peak == pytest.approx(1000 * 2 / (row.median_ms / 1000) / 1e9)


def test_a_network_that_a_runtime_cannot_load_is_one_line(tmp_path, bundle):
    (tmp_path / "broken.onnx").write_bytes(bundle.read_bytes()[:-3])
    network = make_network("gap")
    with pytest.raises(CheckpointError, match="is truncated"):
        measure(
            [Candidate("onnxruntime", "fp32", tmp_path / "broken.onnx")], network.preprocess, [1],
            drawn_images(network.preprocess), macs=1, peak=1.0,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "0"], "--batch is 0; expected numbers from 1 on"),
        (["--threads", "0"], "--threads is 0; expected 1 or more"),
        (["--runtimes", "torch"], "torch does not compute an exported network; give the run"),
        (["--runtimes", "ncnn"], "none of ncnn is installed and can compute this network"),
    ],
)
def test_what_does_not_fit_is_one_line(bundle, capsys, arguments, message):
    assert main(["bench", str(bundle), *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
