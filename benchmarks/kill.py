"""Kills and full disks: a command is killed, or may write no more; then the same command runs again.

What comes out must be the same as of a run that nothing happened to, with its report, and nothing else may be
left. Kills are by SIGKILL after a random time or, with ``--every``, before each file operation in turn. With
``--full``, no file may grow beyond a random size, and each error must be one line.
"""

import argparse
import csv
import hashlib
import importlib
import os
import random
import resource
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.cli.main import main as verydeep
from verydeep.data import synthetic
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weight_files.checkpoint_file import save

COMMANDS = {
    "train": "train images --model '8 M 16 M | gap' --size 16 --batch-size 10 --epochs 3 --precision fp32 "
    "--out run",
    "tune": "tune images --weights tiny.safetensors --strategy fine-tune --budget none --fine-tune.epochs 3 "
    "--fine-tune.precision fp32 --out run",
    "predict": "predict tiny.safetensors images --batch 5 --out predictions.csv --resume",
    "embed": "embed tiny.safetensors images --out vectors.npz",
    "import": "weights import tiny.safetensors --out imported.safetensors",
}
"""In a folder of their own each; the decisions of tune are fixed, as clocks would make others."""
MODULES = ("train", "tune", "predict", "embed", "weights", "weights_files")
EVENTS = frozenset(("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "fcntl.flock"))
"""Of ``sys.audit``; with ``os.fsync`` they are the file operations to be killed at."""
IMAGES = 24

Accident = Callable[[], None]
"""Set up in the process that it happens to."""


class Ended(NamedTuple):
    """How a command ended: its exit code, below 0 a signal; its messages on stderr; how long it took."""

    code: int
    messages: str
    seconds: float


def run(name: str, folder: Path, accident: Accident = lambda: None, kill_after: float | None = None) -> Ended:
    """Run a command in ``folder``, in a process that is forked after all imports."""
    began, (reader, writer) = time.perf_counter(), os.pipe()
    child = os.fork()
    if not child:
        os.chdir(folder)
        os.environ["VERYDEEP_CACHE"] = str(folder / "cache")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(writer, 2)
        sys.argv[1:] = shlex.split(COMMANDS[name])
        code = 70
        try:
            accident()
            code = verydeep(sys.argv[1:])
        except BaseException:
            sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(code)
    os.close(writer)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reader, errors="replace") as stream:
        messages = stream.read()
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), messages, time.perf_counter() - began)


def kill_at(number: int) -> Accident:
    """Kill the process before its file operation of that number."""
    count = 0

    def operation() -> None:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        writes = (
            event != "open" or not isinstance(arguments[2], int) or arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if event in EVENTS and writes:
            operation()

    def accident() -> None:
        sync = os.fsync

        def fsync(descriptor: int) -> None:
            operation()
            sync(descriptor)

        mock.patch.object(os, "fsync", fsync).start()  # it has no audit event
        sys.addaudithook(audit)

    return accident


def fill_at(size: int) -> Accident:
    """Let no file grow beyond ``size`` bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def prepare(folder: Path) -> None:
    """Images of two classes, and a small network."""
    drawn = synthetic.shapes(IMAGES, size=16, channels=3, classes=2)
    for number, (pixels, label) in enumerate(zip(drawn.pixels, drawn.labels.tolist(), strict=True)):
        path = folder / "images" / drawn.classes[label] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    torch.manual_seed(0)
    net = Architecture.from_string("8 M 16 M | gap", norm="batch", input=(3, 16, 16), classes=2, name="tiny")
    preprocess = Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3)
    save(Checkpoint(build(net).eval(), preprocess, drawn.classes), folder / "tiny.safetensors")


def outcome(folder: Path) -> dict[str, object]:
    """What a command has left in ``folder``: of each file its content, unless that has times."""
    return {str(file.relative_to(folder)): _content(file) for file in sorted(folder.rglob("*"))}


def _content(file: Path) -> object:
    if file.is_dir() or file.suffix in (".html", ".jsonl"):  # with times
        return "exists"
    if file.suffix == ".csv":
        with file.open(newline="") as stream:
            rows = list(csv.reader(stream))
        return [[_rounded(cell) for cell in row] for row in rows]
    if file.suffix == ".npz":
        with np.load(file) as arrays:
            return arrays["files"].tolist(), arrays["vectors"].round(4).tolist()
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _rounded(cell: str) -> str:
    """Probabilities in other batches may have other last bits."""
    try:
        return f"{float(cell):.4f}"
    except ValueError:
        return cell


def problem(name: str, expected: dict[str, object], ended: Ended, folder: Path) -> str | None:
    """What is wrong after an accident; the same command is run again before that is judged."""
    if "Traceback" in ended.messages:
        return f"traceback: {ended.messages.splitlines()[-1]}"
    if ended.code in (1, 2) and len([line for line in ended.messages.splitlines() if "rror" in line]) != 1:
        return f"not one line: {ended.messages}"
    again = run(name, folder)
    left = outcome(folder)
    if again.code and left != expected:
        return f"the same command again: exit code {again.code}, {again.messages.splitlines()[-1:]}"
    different = [file for file in left.keys() | expected.keys() if left.get(file) != expected.get(file)]
    return f"different: {', '.join(sorted(different)[:4])}" if different else None


def try_command(name: str, start: Path, work: Path, tries: int, *, every: bool, full: bool) -> str:
    """A row of the table."""
    whole = work / "whole"
    shutil.copytree(start, whole)
    reference = run(name, whole)
    assert reference.code == 0, reference.messages
    expected = outcome(whole)
    largest = max(file.stat().st_size for file in whole.rglob("*") if file.is_file())
    done, hit, problems, number = 0, 0, list[str](), 0
    while done < tries:
        folder, number = work / "work", number + 1
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(start, folder)
        if full:
            ended = run(name, folder, fill_at(random.randrange(2 * largest)))
        elif every:
            ended = run(name, folder, kill_at(number))
        else:
            ended = run(name, folder, kill_after=random.uniform(0, 1.1 * reference.seconds))
        if every and ended.code == 0:
            break
        done, hit = done + 1, hit + (ended.code != 0)
        if wrong := problem(name, expected, ended, folder):
            problems.append(f"{number}: {wrong}")
            print(f"  {name} {problems[-1]}", file=sys.stderr)
    shutil.rmtree(whole)
    return f"| `{name}` | {done} | {hit} | {len(problems)} |"


def main() -> None:
    """Print a table: tries, how many of them ended the command early, and how many were wrong afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "commands", nargs="*", default=list(COMMANDS), metavar="COMMAND", help=", ".join(COMMANDS)
    )
    parser.add_argument("--tries", type=int, default=40, help="of each command")
    parser.add_argument("--every", action="store_true", help="kill at each file operation, up to --tries")
    parser.add_argument("--full", action="store_true", help="limit the size of files instead of killing")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    torch.set_num_threads(1)
    for module in MODULES:
        importlib.import_module(f"verydeep.cli.{module}")
    print("| command | tries | ended early | wrong afterwards |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start"
        start.mkdir()
        prepare(start)
        for name in options.commands:
            row = try_command(
                name, start, Path(folder), options.tries, every=options.every, full=options.full
            )
            print(row, flush=True)


if __name__ == "__main__":
    main()
