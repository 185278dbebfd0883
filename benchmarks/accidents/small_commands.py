"""Commands that take little time, on images and a network of 16 px, each in a process of its own.

Benchmarks stop them in several ways and then look at what is left.
"""

import csv
import hashlib
import importlib
import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet
import torch
from PIL import Image
from safetensors import safe_open

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
    "parquet": "predict tiny.safetensors images --batch 5 --out predictions.parquet --resume",
    "sort": "predict tiny.safetensors images --batch 5 --sort-into sorted",
    "embed": "embed tiny.safetensors images --out vectors.npz",
    "import": "weights import tiny.safetensors --out imported.safetensors",
}
"""The decisions of tune are fixed, as clocks would make others."""
_MODULES = ("train", "tune", "predict", "embed", "weights.commands", "weights.files")
_IMAGES = 24


class Ended(NamedTuple):
    """How a command ended: its exit code, below 0 a signal; its messages on stderr; how long it took."""

    code: int
    messages: str
    seconds: float


def prepare(folder: Path) -> None:
    """Images of two classes, and a small network; the imports that every command has in common."""
    torch.set_num_threads(1)
    for module in _MODULES:
        importlib.import_module(f"verydeep.cli.{module}")
    drawn = synthetic.shapes(_IMAGES, size=16, channels=3, classes=2)
    for number, (pixels, label) in enumerate(zip(drawn.pixels, drawn.labels.tolist(), strict=True)):
        path = folder / "images" / drawn.classes[label] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    torch.manual_seed(0)
    net = Architecture.from_string("8 M 16 M | gap", norm="batch", input=(3, 16, 16), classes=2, name="tiny")
    preprocess = Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3)
    save(Checkpoint(build(net).eval(), preprocess, drawn.classes), folder / "tiny.safetensors")


def run(
    command: str,
    folder: Path,
    *,
    before: Callable[[], None] = lambda: None,
    wait: Callable[[int], int] = lambda child: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]),
) -> Ended:
    """Run ``command`` in ``folder``, in a process that is forked after all imports.

    Args:
        command: its arguments, as typed.
        folder: its current directory, with its cache.
        before: is called in the process, before the command.
        wait: waits for the process of that id to end, and returns its exit code.
    """
    began, (reader, writer) = time.perf_counter(), os.pipe()
    child = os.fork()
    if not child:
        _become(command, folder, before, writer)
    os.close(writer)
    code = wait(child)
    with os.fdopen(reader, errors="replace") as stream:
        messages = stream.read()
    return Ended(code, messages, time.perf_counter() - began)


def _become(command: str, folder: Path, before: Callable[[], None], stderr: int) -> None:
    """Run a command in this process, and exit."""
    os.chdir(folder)
    os.environ["VERYDEEP_CACHE"] = str(folder / "cache")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(stderr, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # these may be of a file
    sys.argv[1:] = shlex.split(command)
    code = 70
    try:
        before()
        code = verydeep(sys.argv[1:])
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stderr.flush()
    os._exit(code)


def content(folder: Path) -> dict[str, object]:
    """What a command has left in ``folder``: of each file its content, unless that has times."""
    return {str(file.relative_to(folder)): _content(file) for file in sorted(folder.rglob("*"))}


def _content(file: Path) -> object:
    if file.is_dir() or file.suffix in (".html", ".jsonl"):  # with times
        return "exists"
    if file.suffix == ".csv":
        with file.open(newline="") as stream:
            return [[_rounded(cell) for cell in row] for row in csv.reader(stream)]
    if file.suffix == ".parquet":
        rows = pyarrow.parquet.read_table(file).to_pylist()
        return [[_rounded(str(cell)) for cell in row.values()] for row in rows]
    if file.suffix == ".npz":
        with np.load(file) as arrays:
            return arrays["files"].tolist(), arrays["vectors"].round(4).tolist()
    if file.suffix == ".safetensors":  # the order of its metadata is random
        with safe_open(file, "numpy") as tensors:
            values = {name: tensors.get_tensor(name) for name in tensors.offset_keys()}
            return {name: (str(v.dtype), v.tobytes()) for name, v in values.items()}, tensors.metadata()
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _rounded(cell: str) -> str:
    """Probabilities in other batches may have other last bits."""
    try:
        return f"{float(cell):.4f}"
    except ValueError:
        return cell


def differences(expected: dict[str, object], folder: Path) -> list[str]:
    """The files that are missing in ``folder``, are not expected there, or have another content."""
    left = content(folder)
    return sorted(file for file in left.keys() | expected.keys() if left.get(file) != expected.get(file))


def message_problem(ended: Ended) -> str | None:
    """What is wrong with the messages of a command that ended with an error: it should be one line."""
    if "Traceback" in ended.messages:
        return f"traceback: {ended.messages.splitlines()[-1]}"
    errors = [line for line in ended.messages.splitlines() if line.startswith(("Error", "Stopped"))]
    if ended.code > 0 and len(errors) != 1:
        return f"{len(errors)} lines of errors: {ended.messages}"
    return None
