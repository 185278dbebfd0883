"""Start-up time of the command, compared with a Python that does nothing.

python benchmarks/startup.py --runs 11
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

# As on a user's machine: byte code is written at the first run and read afterwards.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "verydeep --help": ["-m", "verydeep", "--help"],
    "verydeep list": ["-m", "verydeep", "list"],
    "verydeep show vgg16": ["-m", "verydeep", "show", "vgg16"],
}


def main() -> None:
    """Measure the commands in turn, so that other load affects all of them equally; print the medians."""
    parser = argparse.ArgumentParser(description="Median start-up time of each command, in ms.")
    parser.add_argument("--runs", type=int, default=11, help="runs per command (11)")
    runs = parser.parse_args().runs
    for arguments in COMMANDS.values():
        milliseconds(arguments)  # fills the disk cache and writes the byte code
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, arguments in COMMANDS.items():
            times[name].append(milliseconds(arguments))
    python = statistics.median(times["python -c pass"])
    print(f"| command | median of {runs}, ms | more than Python, ms |\n|---|---:|---:|")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"| `{name}` | {median:.0f} | {median - python:.0f} |")


def milliseconds(arguments: list[str]) -> float:
    """Wall time of Python with ``arguments``."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
