"""Training on two devices: a killed rank and signals end all ranks; the run is resumed to the same bits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

FLAGS = ("train", "synthetic", "--model", "8 M 16 | gap", "--norm", "batch", "--slices", 2, "--epochs", 16,
         "--batch-size", 500, "--precision", "fp32", "--device", "cpu")  # fmt: skip
SECONDS = 120
"""In which a process starts and trains an epoch, on a busy machine."""
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", 2)


@pytest.fixture
def start(tmp_path):
    """Starts the training on two devices, by ``--devices`` or torchrun, and waits for an epoch."""
    started = []
    metrics = tmp_path / "run" / "metrics.jsonl"

    def epochs():
        return len(metrics.read_text().splitlines()) if metrics.exists() else 0

    def begin(*torchrun):
        before, deadline = epochs(), time.monotonic() + SECONDS
        devices = () if torchrun else ("--devices", 2)
        command = (sys.executable, *torchrun, "-m", "verydeep", *FLAGS, *devices, "--out", "run")
        process = subprocess.Popen(
            list(map(str, command)), env=os.environ | {"OMP_NUM_THREADS": "1"},
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        while epochs() <= before:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            for each in (process.pid, *ranks_of(process).values()):  # ranks have sessions of their own
                os.kill(each, signal.SIGKILL)
            process.communicate()


def ranks_of(process):
    """The processes that it has started, by their rank."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    found = {}
    for child in map(int, children):
        variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        found |= {int(each.removeprefix(b"RANK=")): child for each in variables if each.startswith(b"RANK=")}
    return found


def require_undisturbed(here, tmp_path):
    """The run has the bits of one that was not stopped."""
    assert here(*FLAGS, "--out", "undisturbed", cwd=tmp_path).returncode == 0
    resumed, expected = (load_file(tmp_path / run / "model.safetensors") for run in ("run", "undisturbed"))
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)


@pytest.mark.slow
def test_a_killed_rank_and_signals_end_all_ranks_and_lose_nothing(start, here, tmp_path, one_thread):
    killed = start()
    began = time.monotonic()
    os.kill(ranks_of(killed)[1], signal.SIGKILL)
    _, errors = killed.communicate(timeout=60)
    assert time.monotonic() - began < 60
    assert killed.returncode == 2
    assert "rank 1 was ended by SIGKILL" in errors

    told = start()
    told.send_signal(signal.SIGTERM)
    _, errors = told.communicate(timeout=60)
    assert told.returncode == 2
    assert errors.count("ended by SIGTERM, without saving this step. The same command resumes the run") == 1

    pressed_twice = start()
    os.kill(last := ranks_of(pressed_twice)[1], signal.SIGSTOP)  # the step does not end
    pressed_twice.send_signal(signal.SIGINT)
    assert any("Stopping after this step" in line for line in pressed_twice.stderr)
    pressed_twice.send_signal(signal.SIGINT)
    os.kill(last, signal.SIGCONT)
    _, errors = pressed_twice.communicate(timeout=60)
    assert pressed_twice.returncode == 130
    assert errors.count("stopped at once, without saving this step. The same command resumes the run") == 1

    left = start()
    left.kill()
    _, errors = left.communicate(timeout=60)  # until the ranks have ended, too: they write to the same pipe
    assert "Stopped: stopped and saved in epoch" in errors and "Traceback" not in errors

    interrupted = start()
    interrupted.send_signal(signal.SIGINT)  # as the terminal does; torchrun tells the ranks
    _, errors = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130
    assert errors.count("stopped and saved in epoch") == 1
    assert errors.count("Stopping after this step") == 1
    assert "Traceback" not in errors

    assert here(*FLAGS, "--out", "run", cwd=tmp_path).returncode == 0
    require_undisturbed(here, tmp_path)


@pytest.mark.slow
def test_torchrun_restarts_a_killed_rank_and_the_run_goes_on(start, here, tmp_path, one_thread):
    run = start(*TORCHRUN, "--max-restarts", 1)
    os.kill(ranks_of(run)[1], signal.SIGKILL)
    _, errors = run.communicate(timeout=SECONDS)
    assert run.returncode == 0, errors
    require_undisturbed(here, tmp_path)


@pytest.mark.slow
def test_devices_import_nothing_from_the_current_folder(tmp_path):
    (tmp_path / "random.py").write_text("raise AssertionError('a file of the user')")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "verydeep", *map(str, FLAGS), "--devices", "2"],
        cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["tune", "evaluate", "study", "list"])
def test_a_command_for_one_process_is_refused_under_torchrun(here, as_rank, command):
    as_rank(0, 2)
    done = here(command, "anything")
    assert done.returncode == 2
    assert f"`verydeep {command}` computes in one process: run it without torchrun" in done.stderr
    as_rank(1, 2)
    done = here(command, "anything")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.slow
def test_another_number_of_devices_than_torchrun_has_started_is_refused_and_told_once(tmp_path):
    done = subprocess.run(
        [sys.executable, *map(str, TORCHRUN), "-m", "verydeep", "train", "synthetic", "--devices", "4"],
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


@pytest.mark.parametrize("flags", [("--resume",), ("--new",), ("--out", "run"), ("--parallel", "hybrid")])
def test_an_estimate_has_no_run(here, tmp_path, flags):
    done = here("train", "synthetic", "--estimate", *flags, cwd=tmp_path)
    assert done.returncode == 2 and f"--estimate has no use for {flags[0]}" in done.stderr
    assert not list(tmp_path.iterdir())


def test_devices_are_counted_from_one(here):
    done = here("train", "synthetic", "--devices", 0)
    assert done.returncode == 2
    assert 'Invalid value "0" for --devices. Must be >= 1' in done.stderr
