"""A server of two processes: one port, one set of counters, and no process left behind."""

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.description import Description
from verydeep.architecture.preprocess import Preprocess
from verydeep.cli.main import main
from verydeep.errors import VeryDeepError
from verydeep.machine import usable_cores
from verydeep.runtime.bundle import Bundle, ExportInfo
from verydeep.serve.processes.default_processes import default_processes
from verydeep.serve.processes.listeners import listen_together
from verydeep.serve.processes.supervisor import supervise

from ..conftest import started, wait_until

pytestmark = pytest.mark.slow


def servers(process):
    """The processes that ``process`` has started to serve."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            is_child = int(stat.read_text().rpartition(")")[2].split()[1]) == process.pid
            if is_child and "spawn_main" in stat.with_name("cmdline").read_text():
                children.append(int(stat.parent.name))
        except OSError:  # it has just ended
            continue
    return children


def is_running(pid):
    """Whether ``pid`` is a process that has not ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def counted(client):
    """The predictions in the metrics."""
    text = client.get("/metrics").body.decode()
    match = re.search(r'{route="/v1/predict",status="200"} (\d+)', text)
    assert "verydeep_ready_processes" in text
    return int(match[1]) if match else 0


def test_two_processes_answer_at_one_port_until_ctrl_c(bundle, png):
    with started(bundle, processes=2) as (process, client):
        children = servers(process)
        assert len(children) == 2
        for _ in range(12):  # each over a connection of its own
            assert client.form([("private-name.png", png)]).status == 200
        assert counted(client) == 12 and client.get("/readyz").status == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=90)
    assert (process.returncode, err) == (0, "False\n")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["path"] for line in lines] == ["/v1/predict"] * 12
    assert not any(map(is_running, children))


def test_ctrl_c_is_for_the_first_process_only(bundle, png):
    """A terminal sends it to all of them."""
    with started(bundle, processes=2) as (process, client):
        children = servers(process)
        for child in children:
            os.kill(child, signal.SIGINT)
        time.sleep(1)  # an idle process ends in less
        assert servers(process) == children and client.image(png).status == 200


def test_a_process_that_dies_is_replaced_and_the_counters_go_on(bundle, png, tmp_path, monkeypatch):
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path))
    with started(bundle, "--runtime", "auto", processes=2) as (process, client):
        for _ in range(6):
            assert client.image(png).status == 200
        dead, other = servers(process)
        os.kill(dead, signal.SIGKILL)
        for _ in range(6):  # connections to the dead process wait for the next one
            assert client.image(png).status == 200
        wait_until(lambda: client.get("/readyz").status == 200)
        assert counted(client) == 12
        assert len(servers(process)) == 2 and other in servers(process)
        assert client.get("/v1/model").json["runtime"] in ("onnxruntime", "openvino")
        process.terminate()
        out, err = process.communicate(timeout=90)
    assert (process.returncode, err) == (0, "False\n")  # the new process has not chosen a runtime for itself
    (restarted,) = (line for line in map(json.loads, out.splitlines()) if line["level"] == "warning")
    assert (restarted["message"], restarted["ended_with"]) == ("process restarted", -9)


def test_the_server_ends_where_a_process_cannot_be_replaced(bundle, tmp_path):
    path = tmp_path / "removed.onnx"
    shutil.copy(bundle, path)
    with started(path, processes=2) as (process, _):
        children = servers(process)
        path.unlink()
        os.kill(children[0], signal.SIGKILL)
        _, err = process.communicate(timeout=150)
    assert process.returncode == 2
    assert "end again and again, the last with 2" in " ".join(err.split())
    assert err.count("Error: ") == 3  # of two processes, and of the server
    assert not any(map(is_running, children))


def test_no_process_is_left_where_the_parent_is_killed(bundle):
    with started(bundle, processes=2) as (process, _):
        children = servers(process)
        process.kill()
        process.wait(10)
        wait_until(lambda: not any(map(is_running, children)))


def test_a_network_that_no_process_can_load_is_refused_once(bundle, capfd):
    flags = ["--processes", "2", "--runtime", "ncnn", "--port", "0"]
    assert main(["serve", str(bundle), *flags]) == 2
    assert capfd.readouterr().err.count("Error:") == 1


def kill_itself(listener, counts):
    """As the kernel does where memory is short."""
    signal.raise_signal(signal.SIGKILL)


def test_a_process_that_is_killed_at_its_start_is_explained():
    listeners = listen_together("127.0.0.1", 0, 2)
    with pytest.raises(VeryDeepError, match=r"ended with -9 at its start.*too little memory"):
        supervise(listeners, kill_itself, 1.0, lambda: None)


def test_a_port_of_another_server_is_refused_even_if_it_shares_its_port(bundle, capsys):
    listeners = listen_together("127.0.0.1", 0, 2)
    port = listeners[0].getsockname()[1]
    assert main(["serve", str(bundle), "--processes", "2", "--port", str(port)]) == 2
    assert "Address already in use. Choose another with --port" in capsys.readouterr().err
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(("text", "is_small"), [("8 M 16 M | gap", True), ("512x8 | gap", False)])
def test_only_a_small_network_is_served_by_several_processes(text, is_small):
    architecture = Architecture.from_string(text, classes=3, input=(3, 16, 16))
    preprocess = Preprocess(size=64, mean=(0.5,) * 3, std=(0.2,) * 3)
    description = Description(architecture, preprocess, ("cat", "dog", "newt"), {})
    export = ExportInfo(format="onnx", precision="fp32", size=None, outputs=("logits",))
    expected = min(usable_cores(), 4) if is_small else 1
    assert default_processes(Bundle(Path("network.onnx"), description, export)) == expected
