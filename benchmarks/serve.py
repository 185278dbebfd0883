"""Load test of ``verydeep serve``: clients that each send one JPEG after another, beside offline batches.

python benchmarks/serve.py cells.onnx photos/ --clients 32 --seconds 20
"""

import argparse
import http.client
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from verydeep.decoding.stream import stream_pixels
from verydeep.runtime.exported_network import load_exported

MEMORY_AT = (1_000, 10_000)
"""Requests after which the memory of the server is read."""


def main() -> None:
    """Print images per second, latency, errors and memory of the server, and images per second offline."""
    parser = argparse.ArgumentParser(description="Load test of verydeep serve, beside offline batches.")
    parser.add_argument("bundle", type=Path, help="an exported network")
    parser.add_argument("images", type=Path, help="a folder of JPEGs, which is searched")
    parser.add_argument("--clients", type=int, default=32, help="clients at the same time (32)")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds of the load (20)")
    parser.add_argument("--batch", type=int, default=16, help="images per batch (16)")
    parser.add_argument("--files", type=int, default=200, help="different images (200)")
    arguments = parser.parse_args()
    files = list(itertools.islice(sorted(arguments.images.rglob("*.jpg")), arguments.files))
    before = offline(arguments.bundle, files, arguments.batch)
    with started(arguments.bundle, arguments.batch) as process:
        assert process.stderr is not None
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stderr.readline())
        assert address is not None
        load = Load(int(address[1]), process.pid, [file.read_bytes() for file in files])
        load.run(arguments.clients, arguments.seconds)
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    report(load, (before, offline(arguments.bundle, files, arguments.batch)), code)


def started(bundle: Path, batch: int) -> subprocess.Popen[str]:
    """The server, at a free port, as a process of its own."""
    command = [
        sys.executable,
        "-m",
        "verydeep",
        "serve",
        str(bundle),
        "--port",
        "0",
        "--max-batch",
        str(batch),
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def offline(bundle: Path, files: list[Path], batch: int) -> float:
    """Images per second from files to logits, in batches, without a server."""
    network = load_exported(bundle)
    decoded = stream_pixels(files, network.preprocess, batch)
    network.logits(next(decoded).pixels)
    start = time.perf_counter()
    count = sum(len(network.logits(each.pixels)) for each in decoded)
    return count / (time.perf_counter() - start)


class Load:
    """Requests to the server at ``port``, and what came back."""

    def __init__(self, port: int, process: int, images: list[bytes]) -> None:
        self.port, self.process, self.images = port, process, images
        self.latencies: list[float] = []
        self.errors = 0
        self.seconds = 0.0
        """From the first request to the last answer."""
        self.memory: dict[int, float] = {}
        self._numbers = itertools.count()

    def run(self, clients: int, seconds: float) -> None:
        """Send from ``clients`` threads for so many ``seconds``, and wait for the last answers."""
        start = time.perf_counter()
        end = start + seconds
        threads = [threading.Thread(target=self._client, args=(end,)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.seconds = time.perf_counter() - start

    def _client(self, end: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while time.perf_counter() < end:
            number = next(self._numbers)
            image = self.images[number % len(self.images)]
            start = time.perf_counter()
            connection.request("POST", "/v1/predict", image, {"Content-Type": "image/jpeg"})
            response = connection.getresponse()
            response.read()
            self.errors += response.status != 200
            self.latencies.append(time.perf_counter() - start)
            if number in MEMORY_AT:
                self.memory[number] = resident(self.process)
        connection.close()


def resident(process: int) -> float:
    """The resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def report(load: Load, offline_rates: tuple[float, float], code: int) -> None:
    """Print the table."""
    p50, p99 = 1e3 * np.percentile(load.latencies, (50, 99))
    rate, alone = (len(load.latencies) - load.errors) / load.seconds, sum(offline_rates) / 2
    print("| requests | errors | images/s | offline, images/s | ratio | median, ms | p99, ms | exit code |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    row = (f"{len(load.latencies):,}", load.errors, f"{rate:,.1f}", f"{alone:,.1f}", f"{rate / alone:.0%}")
    print(f"| {' | '.join(map(str, (*row, f'{p50:,.0f}', f'{p99:,.0f}', code)))} |")
    for number, memory in load.memory.items():
        print(f"memory after {number:,} requests: {memory:,.0f} MB")


if __name__ == "__main__":
    main()
