"""Mutated weight files: does reading one ever end in a traceback, a crash, or not at all?

python benchmarks/fuzz_weights.py --mutations 2000
"""

import argparse
import copy
import multiprocessing
import resource
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from safetensors.torch import save_file

from verydeep.architecture.preprocess import IMAGENET
from verydeep.architecture.zoo import resolve
from verydeep.compress.layer_inputs import weight_matrix, weighted_layers
from verydeep.compress.steps.gptq import rounded
from verydeep.errors import VeryDeepError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.weight_files.checkpoint_file import save
from verydeep.weights.inspect import inspect
from verydeep.weights.load import load

SECONDS = 10.0
"""The longest time that a file may take; what takes longer is a hang."""

Tensors = dict[str, torch.Tensor]


def main() -> None:
    """Mutate one file of each format, read each mutant in a child process, and count how it ends."""
    parser = argparse.ArgumentParser(description="How reading mutated weight files ends.")
    parser.add_argument("--mutations", type=int, default=2000, help="mutants in total (2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (0)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        originals = write_originals(Path(folder))
        each = -(-options.mutations // len(originals))
        print(
            "| format | mutants | refused in one line | loaded | tracebacks | hangs | slowest, s | peak, MB |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        for number, original in enumerate(originals):
            print(_row(original, each, options.seed + number), flush=True)


def write_originals(folder: Path) -> list[Path]:
    """One small file of each of the eight formats."""
    model = build(resolve("vgg-tiny"))
    tensors: Tensors = {name: value.detach() for name, value in model.state_dict().items()}
    save(Checkpoint(model, IMAGENET.for_input(1, 28), tuple("abcdefghij")), folder / "own.safetensors")
    save(_in_integers(model), folder / "compact.vdz")
    writers: dict[str, Callable[[Path], Any]] = {
        "torch.pth": lambda path: torch.save({"state_dict": tensors, "epoch": 3}, path),
        "legacy.pth": lambda path: torch.save(tensors, path, _use_new_zipfile_serialization=False),
        "plain.safetensors": lambda path: save_file(tensors, path),
        "numpy.npz": lambda path: _write_npz(path, tensors),
        "keras.h5": lambda path: _write_keras(path, tensors),
        "network.onnx": lambda path: _write_onnx(path, tensors),
    }
    for name, write in writers.items():
        write(folder / name)
    return sorted(folder.iterdir())


def _in_integers(model: Classifier) -> Checkpoint:
    """The network with 4-bit weights, which a compact file codes as integers."""
    rounded_model = copy.deepcopy(model)
    for layer in weighted_layers(rounded_model).values():
        layer.weight.data = rounded(weight_matrix(layer), 4).weights.view_as(layer.weight)
    return Checkpoint(rounded_model, IMAGENET.for_input(1, 28), tuple("abcdefghij"))


def _write_npz(path: Path, tensors: Tensors) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, value in tensors.items():
            with file.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, value.numpy())


def _write_keras(path: Path, tensors: Tensors) -> None:
    with h5py.File(path, "w") as file:
        for name, value in tensors.items():
            file[name.replace(".", "_") + "/kernel"] = value.numpy()


def _write_onnx(path: Path, tensors: Tensors) -> None:
    initializers = [numpy_helper.from_array(value.numpy(), name) for name, value in tensors.items()]
    onnx.save(helper.make_model(helper.make_graph([], "network", [], [], initializers)), path)


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """``content`` after one to four changes: bytes, lengths, cuts, copies; most at its start or its end."""
    changed = bytearray(content)
    for _ in range(random.integers(1, 5)):
        first, end = [(0, 4096), (len(changed) - 4096, len(changed)), (0, len(changed))][
            random.integers(0, 3)
        ]
        start = int(random.integers(max(0, first), max(1, min(end, len(changed)))))
        match random.integers(0, 6):
            case 0:
                changed[start : start + 1] = random.bytes(1)
            case 1:
                changed[start : start + 8] = random.bytes(8)
            case 2:  # a length, as little-endian
                changed[start : start + 4] = int(2 ** random.integers(0, 32) - 1).to_bytes(4, "little")
            case 3:
                del changed[start:]
            case 4:
                del changed[start : start + int(random.integers(1, 64))]
            case _:
                changed[start:start] = changed[start : start + int(random.integers(1, 256))]
    return bytes(changed)


def outcome(path: Path) -> str:
    """How reading the file ends: refused, loaded, or with the type of the exception that got through."""
    results = []
    for read in (inspect, load):
        try:
            read(path)
            results.append("loaded")
        except VeryDeepError as error:
            results.append("refused" if "\n" not in str(error) else "several lines")
        except Exception as error:
            results.append(f"{type(error).__name__}: {error}")
    unexpected = [result for result in results if result not in ("loaded", "refused")]
    return unexpected[0] if unexpected else results[-1]


def _read_files(connection: Connection) -> None:
    """In a child: answer each path with its outcome and the peak of memory, in MB."""
    while True:
        result = outcome(Path(connection.recv()))
        connection.send((result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _row(original: Path, count: int, seed: int) -> str:
    random, content = np.random.default_rng(seed), original.read_bytes()
    outcomes, slowest, peak = Counter[str](), 0.0, 0.0
    reader = _Reader()
    reader.read(original)
    for number in range(count):
        mutant = original.with_name(f"mutant-{original.name}")
        mutant.write_bytes(mutated(content, random))
        began = time.monotonic()
        result, memory = reader.read(mutant)
        slowest, peak = max(slowest, time.monotonic() - began), max(peak, memory)
        outcomes[result] += 1
        if result not in ("refused", "loaded"):
            print(f"mutant {number} of {original.name}, seed {seed}: {result}")
        mutant.unlink()
    reader.close()
    good, hangs = outcomes["refused"] + outcomes["loaded"], outcomes["hang"]
    return (
        f"| `{original.name}` | {count:,} | {outcomes['refused']:,} | {outcomes['loaded']:,} | "
        f"{count - good - hangs} | {hangs} | {slowest:.1f} | {peak:,.0f} |"
    )


class _Reader:
    """A child process that reads files, replaced where it hangs or crashes."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.connection, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_read_files, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def read(self, path: Path) -> tuple[str, float]:
        """The outcome, and the peak of memory in MB."""
        try:
            self.connection.send(str(path))
            if self.connection.poll(SECONDS):
                result: tuple[str, float] = self.connection.recv()
                return result
            result = "hang", 0.0
        except (EOFError, OSError):
            result = "crash", 0.0
        self.close()
        self._start()
        return result

    def close(self) -> None:
        """End the child."""
        self.process.kill()
        self.process.join()


if __name__ == "__main__":
    main()
