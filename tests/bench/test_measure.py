"""Runtimes are timed side by side, each in a process of its own."""

import json
import os
import signal
import sys
import time
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.analyze.macs_at import macs_at
from verydeep.bench.candidate import BENCH_RUNTIMES, Candidate
from verydeep.bench.candidates import candidates_of_run, chosen_runtimes
from verydeep.bench.measure import measure
from verydeep.bench.worker import serve
from verydeep.cli.main import main
from verydeep.errors import CheckpointError
from verydeep.export.check_images import CheckImages, drawn_images
from verydeep.export.export_bundle import ExportRequest, export_bundle
from verydeep.runtime.bundle import read_bundle
from verydeep.weight_files.checkpoint_file import save

from ..export.conftest import make_network
from ..export.networks import NETWORKS

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
    arguments = [str(bundle), "--batch", "1", "3", "1", "--runtimes", "onnxruntime", "--out", str(page)]
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


def test_a_page_that_cannot_be_written_does_not_cost_the_table(bundle, capsys, tmp_path):
    page = tmp_path / f"{'a' * 245}.html"  # there is no room for the name of the temporary folder
    arguments = [str(bundle), "--batch", "1", "--runtimes", "onnxruntime", "--out", str(page), "--json"]
    assert main(["bench", *arguments]) == 2
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 1 and "name too long" in captured.err


@pytest.mark.slow
def test_a_run_is_compared_with_torch_and_a_bundle_needs_no_torch(tmp_path, capsys):
    save(make_network("gap"), tmp_path / "x.safetensors")
    Image.new("RGB", (24, 24), "red").save(tmp_path / "one.png")
    arguments = [str(tmp_path / "x.safetensors"), "--batch", "1", "--runtimes", "torch", "onnxruntime"]
    assert main(["bench", *arguments, "--images", str(tmp_path / "one.png"), "--json"]) == 0
    captured = capsys.readouterr()
    first, *_, last = json.loads(captured.out)
    assert "Left out: INT8: " in captured.err  # one image is compared, and none is left to calibrate it
    assert (first["runtime"], last["runtime"], last["precision"]) == ("torch", "onnxruntime", "fp32")
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
    assert row.accuracy == 12 / 16
    assert row.share_of_peak == pytest.approx(1000 * 2 / (row.median_ms / 1000) / 1e9)


def test_agreement_is_the_share_of_the_same_class(tmp_path):
    network, request = NETWORKS["gap"](3), ExportRequest(format="onnx", size=24)
    images, linear = drawn_images(network.preprocess), network.model.get_submodule("classifier.0")
    with torch.no_grad():  # centered, so that the images are of different classes
        linear.bias.sub_(torch.from_numpy(network.logits(images.pixels).mean(0)))
    is_last_class = network.logits(images.pixels).argmax(1) == 2
    assert 0 < is_last_class.mean() < 1
    export_bundle(network, tmp_path / "first.onnx", request)
    with torch.no_grad():  # the first two classes change places
        linear.weight.copy_(linear.weight[[1, 0, 2]])
        linear.bias.copy_(linear.bias[[1, 0, 2]])
    export_bundle(network, tmp_path / "second.onnx", request)
    rows = measure(
        [Candidate("onnxruntime", "fp32", tmp_path / name) for name in ("first.onnx", "second.onnx")],
        network.preprocess, [1], images, macs=1, peak=1.0,
    )  # fmt: skip
    assert [row.agreement for row in rows] == [1, is_last_class.mean()]


def test_the_macs_of_a_bundle_are_those_of_its_size(tmp_path):
    export_bundle(make_network("gap"), tmp_path / "x.onnx", ExportRequest(format="onnx", size=48))
    macs = macs_at(read_bundle(tmp_path / "x.onnx").description)
    assert macs == 48 * 48 * 27 * 8 + 24 * 24 * 72 * 16 + 16 * 3


def test_ctrl_c_ends_a_worker_without_a_traceback(bundle):
    context = get_context("spawn")
    pipe, other = context.Pipe()
    candidate = Candidate("onnxruntime", "fp32", bundle)
    worker = context.Process(target=serve, args=(other, candidate, make_network("gap").preprocess, 1))
    worker.start()
    assert pipe.recv() is None
    os.kill(worker.pid, signal.SIGINT)
    worker.join(20)
    assert worker.exitcode == -signal.SIGINT


def test_a_worker_that_is_still_starting_ends_where_the_start_is_interrupted(bundle):
    def interrupt(number, frame):
        raise KeyboardInterrupt

    network, before = make_network("gap"), signal.signal(signal.SIGALRM, interrupt)
    start = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.2)  # a start takes longer
    try:
        with pytest.raises(KeyboardInterrupt):
            measure(
                [Candidate("onnxruntime", "fp32", bundle)], network.preprocess, [1],
                drawn_images(network.preprocess), macs=1, peak=1.0,
            )  # fmt: skip
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - start < 9  # it is killed after 10


def test_what_cannot_be_exported_is_left_out_or_an_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    network, left_out = make_network("gap"), []
    found = candidates_of_run(
        network, tmp_path / "x.safetensors", tmp_path, ["torch", "onnxruntime"], None, left_out.append
    )
    assert {each.runtime for each in found} == {"torch"}
    assert len(left_out) == 1 and left_out[0].startswith("onnxruntime in fp32: ")
    with pytest.raises(CheckpointError, match="onnxscript"):
        list(candidates_of_run(network, tmp_path / "x.safetensors", tmp_path, ["onnxruntime"], None))


def test_a_runtime_that_was_asked_for_must_be_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "ncnn", None)
    assert "ncnn" not in chosen_runtimes(BENCH_RUNTIMES, None)
    for wanted in (["torch", "ncnn"], None):
        with pytest.raises(CheckpointError, match=r"ncnn is not installed. Install it: .*\[ncnn\]"):
            chosen_runtimes(BENCH_RUNTIMES if wanted else ["ncnn"], wanted)


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
        (["--runtimes", "torch"], "torch cannot compute this exported network; onnxruntime and openvino can"),
        (["--runtimes", "onnxruntime", "ncnn"], "ncnn cannot compute this exported network"),
    ],
)
def test_what_does_not_fit_is_one_line(bundle, capsys, arguments, message):
    assert main(["bench", str(bundle), *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
