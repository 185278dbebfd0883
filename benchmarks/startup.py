"""Start-up time of the command, compared with a Python that does nothing, and with the import of torch.

python benchmarks/startup.py --runs 11
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

import verydeep as vd
from verydeep.architecture.preprocess import Preprocess

# As on a user's machine: byte code is written at the first run and read afterwards.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
TORCH = "python -c 'import torch'"
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "verydeep --help": ["-m", "verydeep", "--help"],
    "verydeep list": ["-m", "verydeep", "list"],
    "verydeep show vgg16": ["-m", "verydeep", "show", "vgg16"],
    "verydeep train --help": ["-m", "verydeep", "train", "--help"],
    "verydeep tune --help": ["-m", "verydeep", "tune", "--help"],
    "verydeep runs": ["-m", "verydeep", "runs"],
    "verydeep study": ["-m", "verydeep", "study"],
    TORCH: ["-c", "import torch"],
    "verydeep predict vgg-tiny.safetensors image.png": [
        "-m", "verydeep", "predict", "vgg-tiny.safetensors", "image.png"
    ],
}  # fmt: skip


def main() -> None:
    """Measure the commands in turn, so that other load affects all of them equally; print the medians."""
    parser = argparse.ArgumentParser(description="Median start-up time of each command, in ms.")
    parser.add_argument("--runs", type=int, default=11, help="runs per command (11)")
    runs = parser.parse_args().runs
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        for arguments in COMMANDS.values():
            milliseconds(arguments, folder)  # fills the disk cache and writes the byte code
        for _ in range(runs):
            for name, arguments in COMMANDS.items():
                times[name].append(milliseconds(arguments, folder))
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"| command | median of {runs}, ms | more than Python, ms | of torch's |\n|---|---:|---:|---:|")
    for name, median in medians.items():
        more, share = median - medians["python -c pass"], median / medians[TORCH]
        print(f"| `{name}` | {median:.0f} | {more:.0f} | {share:.2f} |")


def write_files(folder: Path) -> None:
    """A run; a network with random weights, and an image for it."""
    vd.train_network(vd.Recipe(model="8 M | gap", epochs=1), "synthetic", folder / "runs" / "one")
    network = vd.resolve("vgg-tiny").with_classes(10).with_input(1, 28)
    preprocess = Preprocess(size=28, channels=1, mean=(0.3,), std=(0.3,))
    classes = tuple(map(str, range(10)))
    vd.save(vd.Checkpoint(vd.build(network), preprocess, classes), folder / "vgg-tiny.safetensors")
    Image.new("L", (28, 28), 99).save(folder / "image.png")


def milliseconds(arguments: list[str], folder: str) -> float:
    """Wall time of Python with ``arguments`` in ``folder``."""
    start = time.perf_counter()
    command = [sys.executable, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT, cwd=folder)
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
