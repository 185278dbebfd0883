"""A server as a process group: paused while others are measured, with its CPU time and memory from /proc."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


class ServerProcess:
    """``command`` with ``--port`` and a free port."""

    def __init__(self, command: Sequence[str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port)], stdout=subprocess.DEVNULL, start_new_session=True
        )
        self.code: int | None = None
        """The exit code, at the end."""

    def wait_until_it_answers(self, request: bytes, seconds: float = 60.0) -> None:
        """Wait for status 200.

        Raises:
            TimeoutError: if there is none.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection,
            ):
                connection.sendall(request)
                if connection.recv(1000).startswith(b"HTTP/1.1 200 "):
                    return
            time.sleep(0.2)
        raise TimeoutError(f"{self._process.args!r} does not answer")

    def pause(self) -> None:
        """Let it use no CPU."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End the pause."""
        os.killpg(self._process.pid, signal.SIGCONT)

    @property
    def cpu_seconds(self) -> float:
        """Of all its processes, since they started."""
        return sum(int(stat[11]) + int(stat[12]) for _, stat in self._members()) / _TICKS

    @property
    def memory_mb(self) -> float:
        """Resident memory of all its processes; what they share is counted once."""
        return sum(_proportional_kb(pid) for pid, _ in self._members()) / 1e3

    def _members(self) -> Iterator[tuple[int, list[str]]]:
        """Its processes, with the fields of /proc/PID/stat after the name."""
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                stat = path.read_text().rpartition(")")[2].split()
                if int(stat[2]) == self._process.pid:
                    yield int(path.parent.name), stat

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End it by SIGTERM."""
        self.resume()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(40)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # processes that outlive the first one
        self.code = self._process.wait()


def _proportional_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
