"""Load test of ``verydeep serve`` beside LitServe, plain threads and offline batches, in turns of one run.

python benchmarks/serve.py cells.onnx photos/ --seconds 120 --litserve scratch/bin/python
"""

import argparse
import itertools
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from servers.clients import Load, run_clients, upload
from servers.server_process import ServerProcess

from verydeep.decoding.stream import stream_pixels
from verydeep.runtime.exported_network import load_exported

SCRIPTS = Path(__file__).parent / "servers"
MEMORY_AT = (1_000, 10_000)
"""Requests after which the memory of a server is read."""
OURS, ONE_PROCESS = "verydeep serve", "verydeep serve, one process"
LITSERVE, THREADS, OFFLINE = "LitServe", "plain threads", "offline batches"


def main() -> None:
    """Print images per second, latency, errors, CPU time and memory of each."""
    parser = argparse.ArgumentParser(description="Load test of verydeep serve, beside other servers.")
    parser.add_argument("bundle", type=Path, help="an exported network")
    parser.add_argument("images", type=Path, help="a folder of JPEGs, which is searched")
    parser.add_argument("--clients", type=int, default=32, help="clients at the same time (32)")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds of load for each (20)")
    parser.add_argument("--rounds", type=int, default=4, help="turns in which each gets its seconds (4)")
    parser.add_argument("--batch", type=int, default=16, help="images per batch (16)")
    parser.add_argument("--files", type=int, default=200, help="different images (200)")
    parser.add_argument(
        "--litserve", default=sys.executable, help="the Python of an environment with litserve"
    )
    parser.add_argument("--threads", type=int, help="threads of the network; by default one for each core")
    parser.add_argument("--one-process", action="store_true", help="verydeep serve by one process too")
    parser.add_argument("--alone", action="store_true", help="without LitServe and plain threads")
    arguments = parser.parse_args()
    files = list(itertools.islice(sorted(arguments.images.rglob("*.jpg")), arguments.files))
    requests = [upload(file, "/v1/predict") for file in files]
    serve = [sys.executable, "-m", "verydeep", "serve", str(arguments.bundle)]
    commands = {OURS: [*serve, "--max-batch", str(arguments.batch)]}
    if arguments.one_process:
        commands[ONE_PROCESS] = [*commands[OURS], "--processes", "1"]
    if not arguments.alone:
        commands |= other_commands(arguments.bundle, arguments.batch, arguments.litserve)
    threads = [] if arguments.threads is None else ["--threads", str(arguments.threads)]
    offline = Offline(arguments.bundle, files, arguments.batch, arguments.threads)
    servers: dict[str, Server] = {}
    with ExitStack() as stack:
        for name, command in commands.items():
            process = stack.enter_context(ServerProcess([*command, *threads]))
            servers[name] = Server(process, requests)
        for _ in range(arguments.rounds):
            offline.run(arguments.seconds / arguments.rounds)
            for server in servers.values():
                server.run(arguments.clients, arguments.seconds / arguments.rounds)
    report(servers, offline, arguments.batch)


def other_commands(bundle: Path, batch: int, litserve: str) -> dict[str, list[str]]:
    """The commands of the servers to compare with, as far as they can run here."""
    commands = {THREADS: [sys.executable, str(SCRIPTS / "with_threads.py"), str(bundle)]}
    if subprocess.run([litserve, "-c", "import litserve"], capture_output=True, check=False).returncode == 0:
        script = str(SCRIPTS / "with_litserve.py")
        commands[LITSERVE] = [litserve, script, str(bundle), "--max-batch", str(batch)]
    else:
        print(f"{litserve} has no litserve, so it is left out: pip install litserve", file=sys.stderr)
    return commands


class Server:
    """A server that is paused while it is not measured, and what came back from it."""

    def __init__(self, process: ServerProcess, requests: list[bytes]) -> None:
        self.process, self.requests = process, requests
        self.load, self.cpu_seconds = Load(), 0.0
        self.memory_mb: dict[int, float] = {}
        self._answers = 0
        self.process.wait_until_it_answers(requests[0])
        self.process.pause()

    def run(self, clients: int, seconds: float) -> None:
        """Load it for so many ``seconds``."""
        self.process.resume()
        before = self.process.cpu_seconds
        self.load.add(run_clients(self.process.port, self.requests, clients, seconds, self._count))
        self.cpu_seconds += self.process.cpu_seconds - before
        self.process.pause()

    def _count(self) -> None:
        self._answers += 1
        if self._answers in MEMORY_AT:
            self.memory_mb[self._answers] = self.process.memory_mb


class Offline:
    """The network without a server: from files to logits, in batches."""

    def __init__(self, bundle: Path, files: list[Path], batch: int, threads: int | None) -> None:
        self.network, self.files, self.batch = load_exported(bundle, threads=threads), files, batch
        self.images, self.seconds, self.cpu_seconds = 0, 0.0, 0.0

    def run(self, seconds: float) -> None:
        """Compute all files, again and again, until so many ``seconds`` have passed."""
        start, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - start < seconds:
            for batch in stream_pixels(self.files, self.network.preprocess, self.batch):
                self.images += len(self.network.logits(batch.pixels))
        self.seconds += time.perf_counter() - start
        self.cpu_seconds += time.process_time() - cpu

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds


def report(servers: dict[str, Server], offline: Offline, batch: int) -> None:
    """Print the table; CPU times are of the server and of the clients, for an image."""
    print(
        "| | requests | errors | images/s | of offline | median, ms | p99, ms | p99, batch times "
        "| CPU, ms | CPU of the clients, ms | memory, MB |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, server in servers.items():
        load = server.load
        p50, p99 = np.percentile(load.latencies, (50, 99))
        memory = ", ".join(f"{each:,.0f}" for each in server.memory_mb.values())
        cells = (
            name, f"{len(load.latencies) + load.errors:,}", load.errors, f"{load.rate:,.1f}",
            f"{load.rate / offline.rate:.1%}", f"{1e3 * p50:,.0f}", f"{1e3 * p99:,.0f}",
            f"{p99 * offline.rate / batch:.1f}", f"{1e3 * server.cpu_seconds / len(load.latencies):.2f}",
            f"{1e3 * load.cpu_seconds / len(load.latencies):.2f}", memory,
        )  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |")
    cpu = 1e3 * offline.cpu_seconds / offline.images
    print(f"| {OFFLINE} | {offline.images:,} | | {offline.rate:,.1f} | | | | | {cpu:.2f} | | |")
    print(
        f"memory after {' and '.join(f'{each:,}' for each in MEMORY_AT)} requests, where there were as many"
    )
    if LITSERVE in servers:
        print(f"{OURS}: {servers[OURS].load.rate / servers[LITSERVE].load.rate:.2f} times {LITSERVE}")


if __name__ == "__main__":
    main()
