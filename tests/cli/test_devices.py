"""`verydeep train --devices`: a killed rank and Ctrl-C end all ranks; the run is resumed to the same bits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

FLAGS = ("train", "synthetic", "--model", "8 M 16 | gap", "--norm", "batch", "--slices", 2, "--epochs", 6,
         "--batch-size", 500, "--precision", "fp32", "--device", "cpu")  # fmt: skip
SECONDS = 120
"""In which a process starts and trains an epoch, on a busy machine."""


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def start(tmp_path):
    """Starts the training on two devices, and waits until it has finished so many epochs."""
    started = []

    def begin(epochs):
        process = subprocess.Popen(
            [sys.executable, "-m", "verydeep", *map(str, FLAGS), "--devices", "2", "--out", "run"],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        metrics, deadline = tmp_path / "run" / "metrics.jsonl", time.monotonic() + SECONDS
        while not (metrics.exists() and len(metrics.read_text().splitlines()) >= epochs):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def ranks_of(process):
    """The processes that it has started, by their rank."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    found = {}
    for child in map(int, children):
        variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        found |= {int(each.removeprefix(b"RANK=")): child for each in variables if each.startswith(b"RANK=")}
    return found


@pytest.mark.slow
def test_a_killed_rank_and_ctrl_c_end_all_ranks_and_lose_nothing(start, here, tmp_path, one_thread):
    killed = start(epochs=1)
    began = time.monotonic()
    os.kill(ranks_of(killed)[1], signal.SIGKILL)
    _, errors = killed.communicate(timeout=60)
    assert time.monotonic() - began < 60
    assert killed.returncode == 2
    assert "rank 1 was ended by SIGKILL" in errors

    interrupted = start(epochs=2)
    interrupted.send_signal(signal.SIGINT)  # as the terminal does; torchrun tells the ranks
    _, errors = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130
    assert errors.count("stopped and saved in epoch") == 1
    assert errors.count("Stopping after this step") == 1
    assert "Traceback" not in errors

    assert here(*FLAGS, "--out", "run", cwd=tmp_path).returncode == 0
    assert here(*FLAGS, "--out", "undisturbed", cwd=tmp_path).returncode == 0
    resumed, expected = (load_file(tmp_path / run / "model.safetensors") for run in ("run", "undisturbed"))
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)


@pytest.fixture
def as_rank(monkeypatch):
    """Sets the variables of torchrun, for one of two processes."""

    def set_rank(number):
        for name, value in {
            "TORCHELASTIC_RUN_ID": "test", "RANK": number, "WORLD_SIZE": 2, "LOCAL_RANK": number,
            "LOCAL_WORLD_SIZE": 2,
        }.items():  # fmt: skip
            monkeypatch.setenv(name, str(value))

    return set_rank


@pytest.mark.parametrize("command", ["tune", "evaluate", "study", "list"])
def test_a_command_for_one_process_is_refused_under_torchrun(here, as_rank, command):
    as_rank(0)
    done = here(command, "anything")
    assert done.returncode == 2
    assert f"`verydeep {command}` computes in one process: run it without torchrun" in done.stderr
    as_rank(1)
    done = here(command, "anything")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.slow
def test_another_number_of_devices_than_torchrun_has_started_is_refused_and_told_once(tmp_path):
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
    done = subprocess.run(
        [*torchrun, "-m", "verydeep", "train", "synthetic", "--devices", "4"],
        cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stderr.count("--devices is 4, and torchrun has started 2 processes; leave it out") == 1
    assert not list(tmp_path.iterdir())


def test_an_estimate_of_several_devices_is_refused(here):
    done = here("train", "synthetic", "--estimate", "--devices", 2)
    assert done.returncode == 2
    assert "--estimate times one device: leave --devices out" in done.stderr


def test_devices_are_counted_from_one(here):
    assert here("train", "synthetic", "--devices", 0).returncode != 0
