"""Ctrl-C and ``--resume`` of ``train`` and ``tune``: what is saved, how it goes on, and what is refused."""

import json
import os
import signal
import subprocess
import sys

import pytest
import torch

from verydeep.terminal.training_progress import TrainingProgress
from verydeep.terminal.tune_progress import TuneProgress
from verydeep.weight_files.checkpoint_file import load

FINE_TUNE = (
    "--strategy", "fine-tune", "--budget", "none", "--fine-tune.epochs", 4, "--fine-tune.keep", "last",
    "--fine-tune.optimizer.lr", "0.01", "--fine-tune.precision", "fp32",
)  # fmt: skip


def assert_same_bits(first, second):
    tensors, others = (load(run).model.state_dict() for run in (first, second))
    assert tensors.keys() == others.keys()
    assert all(torch.equal(tensor, others[name]) for name, tensor in tensors.items())


@pytest.fixture
def train(here, shapes):
    """Trains for four epochs of three steps."""
    flags = ("--model", "8 M 16 M | gap", "--size", 16, "--batch-size", 10, "--precision", "fp32")

    def run(*more, cwd):
        return here("train", shapes, *flags, "--epochs", 4, *more, cwd=cwd)

    return run


@pytest.fixture
def tune(here, shapes, tiny):
    """Fine-tunes for four epochs of one step."""

    def run(*more, cwd):
        return here("tune", shapes, "--weights", tiny, *FINE_TUNE, *more, cwd=cwd)

    return run


def test_a_training_that_is_stopped_within_an_epoch_resumes_to_the_same_bits(
    train, here, shapes, press_ctrl_c, tmp_path
):
    assert train("--out", "whole", cwd=tmp_path).returncode == 0
    press_ctrl_c(TrainingProgress, "stepped", 5)
    stopped = train(cwd=tmp_path)
    assert stopped.returncode == 130 and not stopped.stdout
    assert "Stopping after this step; press Ctrl-C again to stop without saving" in stopped.stderr
    command = f"verydeep train {shapes} --resume --out runs/scratch-shapes"
    assert f"Stopped: stopped and saved in epoch 2 of 4. Resume it by: {command}" in stopped.stderr
    run = tmp_path / "runs" / "scratch-shapes"
    assert sorted(path.name for path in run.iterdir()) == [
        "metrics.jsonl", "recipe.toml", "split.csv", "state",
    ]  # fmt: skip
    resumed = here("train", shapes, "--resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["epochs"] == 4
    assert not (run / "state").exists()
    page = (run / "report.html").read_text()
    assert "recipe <b>runs/scratch-shapes/recipe.toml</b>" in page
    assert f"<code>verydeep train {shapes} --recipe runs/scratch-shapes/recipe.toml</code>" in page
    assert_same_bits(run, tmp_path / "whole")


def test_a_fine_tuning_that_is_stopped_resumes_to_the_same_bits(tune, here, shapes, press_ctrl_c, tmp_path):
    assert tune("--out", "whole", cwd=tmp_path).returncode == 0
    press_ctrl_c(TuneProgress, "stepped", 2)
    stopped = tune(cwd=tmp_path)
    assert stopped.returncode == 130 and not stopped.stdout
    assert "runs/tune-shapes holds the linear probe, ready to use" in stopped.stderr
    assert f"Resume it by: verydeep tune {shapes} --resume --out runs/tune-shapes" in stopped.stderr
    run = tmp_path / "runs" / "tune-shapes"
    assert here("predict", run, shapes / "circle").returncode == 0
    resumed = here("tune", shapes, "--resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["chosen"] == "fine-tune"
    assert not (run / "state").exists()
    page = (run / "report.html").read_text()
    assert "--resume" not in page and "--recipe runs/tune-shapes/tune.toml" in page
    assert_same_bits(run, tmp_path / "whole")


@pytest.mark.parametrize("method", ["extracted", "cross_validated"])
def test_before_the_probe_there_is_no_run_folder_and_the_same_command_continues(
    tune, press_ctrl_c, tmp_path, method
):
    press_ctrl_c(TuneProgress, method, 1)
    stopped = tune(cwd=tmp_path)
    assert stopped.returncode == 130
    assert "kept. Run the same command again to continue" in stopped.stderr
    assert not list(tmp_path.iterdir())
    done = tune("--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"] == "runs/tune-shapes"


def test_a_second_ctrl_c_stops_at_once_and_keeps_the_last_epoch(train, here, shapes, press_ctrl_c, tmp_path):
    press_ctrl_c(TrainingProgress, "stepped", 4)
    press_ctrl_c(TrainingProgress, "stepped", 4)  # before the first one is noticed
    stopped = train(cwd=tmp_path)
    assert stopped.returncode == 130
    assert "Stopped: stopped at once, without saving this step. Resume it by: verydeep" in stopped.stderr
    resumed = here("train", shapes, "--resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["epochs"] == 4


def test_each_command_resumes_the_latest_unfinished_run_of_its_own(
    train, tune, here, shapes, press_ctrl_c, tmp_path
):
    press_ctrl_c(TrainingProgress, "stepped", 1)
    press_ctrl_c(TuneProgress, "stepped", 1)
    assert train(cwd=tmp_path).returncode == tune(cwd=tmp_path).returncode == 130
    press_ctrl_c(TrainingProgress, "stepped", 1)
    assert train("--new", cwd=tmp_path).returncode == 130
    runs = {name: tmp_path / "runs" / name for name in ("scratch-shapes", "scratch-shapes-2", "tune-shapes")}
    for age, run in enumerate(runs.values()):  # whatever the clock of the disk
        os.utime(run / "state", (10**9 + age, 10**9 + age))
    assert json.loads(here("train", shapes, "--resume", "--json").stdout)["run"] == "runs/scratch-shapes-2"
    assert json.loads(here("train", shapes, "--resume", "--json").stdout)["run"] == "runs/scratch-shapes"
    assert json.loads(here("tune", shapes, "--resume", "--json").stdout)["run"] == "runs/tune-shapes"
    failed = here("train", shapes, "--resume")
    assert failed.returncode == 2 and "no unfinished run of `verydeep train` in runs" in failed.stderr


def test_a_run_is_resumed_by_the_command_that_started_it(train, tune, here, shapes, press_ctrl_c, tmp_path):
    press_ctrl_c(TrainingProgress, "stepped", 1)
    press_ctrl_c(TuneProgress, "stepped", 1)
    assert train(cwd=tmp_path).returncode == tune(cwd=tmp_path).returncode == 130
    for command, run, other in (("tune", "scratch-shapes", "train"), ("train", "tune-shapes", "tune")):
        failed = here(command, shapes, "--resume", "--out", f"runs/{run}")
        assert failed.returncode == 2
        assert f"runs/{run} was started by `verydeep {other}`; resume it with that command" in failed.stderr
        assert (tmp_path / "runs" / run / "state").exists()


def test_a_run_is_not_resumed_on_other_data(train, here, press_ctrl_c, shapes, tmp_path):
    press_ctrl_c(TrainingProgress, "stepped", 1)
    assert train(cwd=tmp_path).returncode == 130
    failed = here("train", "synthetic", "--resume")
    assert failed.returncode == 2 and f"was started on {shapes}" in failed.stderr


@pytest.mark.parametrize("name", ["scratch-shapes", "tune-shapes"])
def test_the_same_command_goes_on_with_the_run_that_it_began(train, tune, press_ctrl_c, tmp_path, name):
    command, progress = (train, TrainingProgress) if name == "scratch-shapes" else (tune, TuneProgress)
    assert command("--out", "whole", cwd=tmp_path).returncode == 0
    press_ctrl_c(progress, "stepped", 2)
    assert command(cwd=tmp_path).returncode == 130
    again = command("--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert f"Continuing the unfinished run in runs/{name}; --new starts another one" in again.stderr
    assert json.loads(again.stdout)["run"] == f"runs/{name}"
    assert_same_bits(tmp_path / "runs" / name, tmp_path / "whole")
    assert (tmp_path / "runs" / name / "report.html").exists()


def test_what_differs_is_refused_and_new_starts_over(train, here, shapes, press_ctrl_c, tmp_path):
    press_ctrl_c(TrainingProgress, "stepped", 1)
    assert train("--out", "run", cwd=tmp_path).returncode == 130
    for flags in (("--seed", 1), ("--seed", 1, "--resume")):
        failed = train(*flags, "--out", "run", cwd=tmp_path)
        assert failed.returncode == 2
        assert "run is unfinished and was started with --seed 0, not --seed 1. Leave" in failed.stderr
    failed = here("train", shapes, "--resume", "--out", "run", "--optimizer.lr", 7, "--norm", "batch")
    assert "--optimizer.lr 0.0002, not --optimizer.lr 7.0" in failed.stderr
    assert "the default of --norm, not --norm batch" in failed.stderr
    failed = train("--new", "--resume", "--out", "run", cwd=tmp_path)
    assert failed.returncode == 2 and "give one of them" in failed.stderr
    new = train("--seed", 1, "--out", "run", "--new", "--json", cwd=tmp_path)
    assert new.returncode == 0, new.stderr
    failed = train("--out", "run", "--new", cwd=tmp_path)
    assert failed.returncode == 2 and "run holds a finished run. Give another --out" in failed.stderr


@pytest.mark.parametrize("job", ["train", "tune"])
def test_new_deletes_nothing_before_images_weights_and_device_are_there(
    train, tune, here, shapes, tiny, press_ctrl_c, tmp_path, job
):
    command, progress = (train, TrainingProgress) if job == "train" else (tune, TuneProgress)
    press_ctrl_c(progress, "stepped", 1)
    assert command("--out", "run", cwd=tmp_path).returncode == 130
    saved = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    new = ("--out", "run", "--new")
    for typo in (
        (f"{shapes}-typo", "--weights", tiny),
        ("mnist", "--weights", tiny),
        (shapes, "--weights", f"{tiny}-typo"),
        (shapes, "--weights", "vgg17"),
        (shapes, "--weights", tiny, "--device", "mps"),
    ):
        assert here(job, *typo, *new).returncode == 2
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == saved
    done = command("--seed", 1, *new, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_command_that_resumes_has_the_flags_of_the_machine(train, press_ctrl_c, tmp_path):
    press_ctrl_c(TrainingProgress, "stepped", 1)
    stopped = train("--device", "cpu", "--parallel", "hybrid", "--out", "run", cwd=tmp_path)
    assert stopped.returncode == 130
    assert "--resume --out run --device cpu --parallel hybrid\n" in stopped.stderr


def test_a_tuning_resumes_on_the_same_device(tune, press_ctrl_c, tmp_path):
    press_ctrl_c(TuneProgress, "stepped", 1)
    stopped = tune("--device", "cpu", "--out", "run", cwd=tmp_path)
    assert stopped.returncode == 130 and "--resume --out run --device cpu\n" in stopped.stderr


@pytest.mark.parametrize("file", ["metrics.jsonl", "state/start.json", "state/state.pt"])
@pytest.mark.parametrize("content", ["", "{", '{"epoch": 1}\n', "\0\n"])
def test_a_damaged_file_of_a_run_is_named_in_one_line(train, press_ctrl_c, tmp_path, file, content):
    press_ctrl_c(TrainingProgress, "stepped", 5)
    assert train("--out", "run", cwd=tmp_path).returncode == 130
    (tmp_path / "run" / file).write_text(content)
    for resume in ((), ("--resume",)):
        failed = train("--out", "run", *resume, cwd=tmp_path)
        assert failed.returncode == 2
        assert f"run/{file} is " in " ".join(failed.stderr.split()) and "--new" in failed.stderr
    assert train("--out", "run", "--new", cwd=tmp_path).returncode == 0


def test_without_a_run_there_is_nothing_to_resume(here, shapes, tmp_path):
    failed = here("tune", shapes, "--resume", "--weights", "vgg16", cwd=tmp_path)
    assert failed.returncode == 2
    assert "there is no unfinished run of `verydeep tune` in runs" in failed.stderr
    assert not list(tmp_path.iterdir())


def test_flags_beside_resume_are_those_of_the_run(tune, here, shapes, tiny, press_ctrl_c, tmp_path):
    press_ctrl_c(TuneProgress, "stepped", 1)
    assert tune(cwd=tmp_path).returncode == 130
    failed = here("tune", shapes, "--resume", "--fine-tune.optimizer.lr", 1, "--scratch.epochs", 3)
    assert failed.returncode == 2
    assert "--fine-tune.optimizer.lr 0.01, not --fine-tune.optimizer.lr 1.0; " in failed.stderr
    assert "not --scratch.epochs 3" in failed.stderr
    resumed = tune("--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_stops_fine_tuning_and_resume_finishes_it(
    here, shapes, tiny, monkeypatch, tmp_path
):
    command = [
        sys.executable,
        "-m",
        "verydeep",
        "tune",
        shapes,
        "--weights",
        tiny,
        *FINE_TUNE,
        "--out",
        "run",
    ]
    command[command.index("--fine-tune.epochs") + 1] = 200
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "VERYDEEP_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(
        list(map(str, command)), stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        for line in process.stderr:
            if line.startswith("epoch"):
                process.send_signal(signal.SIGINT)
                break
        messages = process.stderr.read()
    assert process.returncode == 130, messages
    assert f"Resume it by: verydeep tune {shapes} --resume --out run" in messages
    assert 1 <= len((tmp_path / "run" / "metrics-fine-tune.jsonl").read_text().splitlines()) < 200
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path / "cache"))
    done = here("tune", shapes, "--resume", "--out", "run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    strategies = json.loads(done.stdout)["strategies"]
    assert [each["epochs"] for each in strategies] == [0, 200]
