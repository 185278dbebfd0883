"""``verydeep serve`` as a process: without torch, its signals, its log, and the user's mistakes."""

import json
import signal
import socket
from dataclasses import replace

import pytest
import torch

from verydeep.cli.main import main
from verydeep.export.graph import ExportGraph
from verydeep.export.to_onnx import set_description, write_onnx
from verydeep.runtime.bundle import ExportInfo, bundle_json

from .conftest import started


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_exported_network_is_served_without_torch_until_a_signal(bundle, png, number):
    with started(bundle) as (process, client):
        assert client.form([("private-name.png", png)]).status == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "False\n")
    (line,) = map(json.loads, out.splitlines())
    assert (line["path"], line["status"], line["images"]) == ("/v1/predict", 200, 1)
    assert "private-name" not in out


@pytest.mark.slow
def test_the_fastest_runtime_is_served_without_torch(bundle, png, tmp_path, monkeypatch):
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path))
    with started(bundle, "--runtime", "auto") as (process, client):
        assert client.form([("a.png", png)]).status == 200
        runtime = client.get("/v1/model").json["runtime"]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert runtime in ("onnxruntime", "openvino") and err == "False\n"
    (kept,) = (tmp_path / "runtimes" / "timings").iterdir()
    assert json.loads(kept.read_text())["runtime"] == runtime


@pytest.mark.slow
def test_a_token_comes_from_a_file(bundle, tmp_path):
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n")
    with started(bundle, "--token-file", file) as (_, client):
        assert client.get("/v1/model").status == 401
        assert client.get("/v1/model", authorization="Bearer 0123456789abcdef").status == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-batch", "0"], "--max-batch is 0; expected 1 or more"),
        (["--max-queue", "0"], "--max-queue is 0; expected 1 or more"),
        (["--max-wait-ms", "-1"], "--max-wait-ms is -1; expected 0 to 10000"),
        (["--threads", "0"], "--threads is 0; expected 1 or more"),
        (["--processes", "0"], "--processes is 0; expected 1 to 64, or auto"),
        (["--device", "cpu", "--processes", "1"], "no --device"),
        (["--port", "70000"], "--port is 70000; expected 0 to 65535"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
        (["--token-file", "{short}"], "at least 16 ASCII characters"),
        (["--token-file", "{short}.missing"], "No such file"),
    ],
)
def test_a_mistake_ends_with_exit_code_2(bundle, tmp_path, capsys, arguments, message):
    short = tmp_path / "short"
    short.write_text("short")
    values = [value.format(short=short) for value in arguments]
    assert main(["serve", str(bundle), *values]) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize("processes", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_network_that_fails_at_its_first_image_is_not_served(checkpoint, tmp_path, capfd, processes):
    graph = ExportGraph(checkpoint.model)
    export = ExportInfo(format="onnx", precision="fp32", size=16, outputs=graph.outputs)
    write_onnx(graph, 16, tmp_path / "x.onnx")
    larger = replace(checkpoint, preprocess=replace(checkpoint.preprocess, size=24)).description
    set_description(tmp_path / "x.onnx", bundle_json(larger, export))
    assert main(["serve", str(tmp_path / "x.onnx"), "--port", "0", "--processes", processes]) == 2
    captured = capfd.readouterr()
    assert captured.err.count("Error: the network fails at its first image") == 1
    assert "Serving" not in captured.err and not captured.out and "Traceback" not in captured.err


def test_a_device_that_the_machine_lacks_ends_with_exit_code_2(run_file, capsys):
    absent = "mps" if torch.cuda.is_available() else "cuda"  # no machine has both
    assert main(["serve", str(run_file), "--device", absent]) == 2
    assert f"no device '{absent}'" in capsys.readouterr().err


def test_a_port_in_use_ends_with_exit_code_2(bundle, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["serve", str(bundle), "--port", str(other.getsockname()[1])]) == 2
    assert "Address already in use. Choose another with --port" in capsys.readouterr().err
