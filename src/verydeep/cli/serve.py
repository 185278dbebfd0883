"""``verydeep serve``: an HTTP server for one network."""

import socket
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from verydeep.cli.load_network import check_torch_runtime, load_exported_network, refuse_page
from verydeep.distribution import install_command
from verydeep.errors import DataError
from verydeep.machine import Device, usable_cores
from verydeep.quick_imports import quick_imports
from verydeep.runtime.bundle import is_bundle, read_bundle
from verydeep.runtime.extras import RuntimeFlag
from verydeep.terminal.console import print_message

if TYPE_CHECKING:
    from verydeep.serve.limits import Limits
    from verydeep.serve.processes.counts import Counts
    from verydeep.serve.served import ServedNetwork

EXTRA = ("fastapi", "python_multipart", "uvicorn")
MAX_PROCESSES = 64


def serve(
    bundle: Annotated[Path, Parameter(name="BUNDLE")],
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    max_batch: int = 16,
    max_wait_ms: float = 5.0,
    max_queue: int = 256,
    token_file: Path | None = None,
    processes: int | Literal["auto"] = "auto",
    threads: int | None = None,
    device: Device = "auto",
    runtime: RuntimeFlag | None = None,
) -> int:
    """Serve a network over HTTP, with a page to try it. Ctrl-C or SIGTERM stops it, with exit code 0.

    Parameters
    ----------
    bundle
        An exported network (an .onnx file or a folder), a run folder, or a checkpoint.
    host
        The address to listen on; by default only programs on this machine can connect. 0.0.0.0 is for all.
    port
        The port; 0 is any free one.
    max_batch
        Images that the network computes at once.
    max_wait_ms
        How long an image waits for others to fill its batch, in ms.
    max_queue
        Images that wait at most, in each process; further ones are answered at once with status 503.
    token_file
        A file with a token, which requests to /v1 and /metrics then need: `Authorization: Bearer TOKEN`.
    processes
        Processes that answer at the port, each with the network; more are faster where HTTP takes longer than
        the network. auto is one for each core, at most 4, for a small exported network, and 1 for others.
    threads
        Threads of the network, which are divided among the processes; as many as the processor has cores by
        default.
    device
        Where a run or a checkpoint computes; auto uses a GPU if there is one.
    runtime
        What computes an exported network; by default the usual one for its format. auto is the fastest one
        on this machine, which is timed once.
    """
    if missing := [name for name in EXTRA if find_spec(name) is None]:
        raise DataError(f"the server needs {missing[0]}. Install it: {install_command('serve')}")
    if threads is not None and threads < 1:
        raise DataError(f"--threads is {threads}; expected 1 or more")
    from verydeep.serve.guard import read_token
    from verydeep.serve.limits import Limits
    from verydeep.serve.logs import log_to_stdout
    from verydeep.serve.processes.listeners import listen, listen_together

    count = _processes(bundle, processes)
    limits = Limits(max_batch=max_batch, max_wait_ms=max_wait_ms, max_queue=max_queue).shared_among(count)
    token = read_token(token_file) if token_file else None
    if count > 1:
        threads = max(1, (threads or usable_cores()) // count)
        if runtime == "auto" and is_bundle(bundle):  # once, for processes that are started later too
            runtime = load_exported_network(bundle, device, runtime, batch=max_batch, threads=threads).runtime
    network = partial(_load, bundle, threads, device, runtime, max_batch)
    if count == 1:
        with quick_imports():
            from verydeep.serve.run import server

        with listen(host, port) as listener:
            running = server(network(), limits, token)
            log_to_stdout()
            _print_address(bundle, host, listener)
            running.run(sockets=[listener])
        return 0
    from verydeep.serve.processes.supervisor import supervise

    log_to_stdout()
    listeners = listen_together(host, port, count)
    serve_one = partial(_serve_in_process, network, limits, token)
    return supervise(
        listeners, serve_one, limits.stop_seconds, lambda: _print_address(bundle, host, listeners[0], count)
    )


def _processes(bundle: Path, given: int | Literal["auto"]) -> int:
    """How many to start.

    Raises:
        DataError: if the number is out of range, or the system cannot share a port.
    """
    if given == "auto":
        if not is_bundle(bundle):
            return 1
        from verydeep.serve.processes.default_processes import default_processes

        return default_processes(read_bundle(bundle))
    if not 1 <= given <= MAX_PROCESSES:
        raise DataError(f"--processes is {given}; expected 1 to {MAX_PROCESSES}, or auto")
    if given > 1 and sys.platform != "linux":
        raise DataError(f"--processes is {given}; only Linux shares a port among processes. Expected 1")
    return given


def _print_address(bundle: Path, host: str, listener: socket.socket, processes: int = 1) -> None:
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
    by = f" by {processes} processes" if processes > 1 else ""
    print_message(f"Serving {bundle} on {address}{by} (Ctrl-C stops it)")


def _serve_in_process(
    network: Callable[[], "ServedNetwork"],
    limits: "Limits",
    token: str | None,
    listener: socket.socket,
    counts: "Counts",
) -> int:
    """Serve in a process that ``supervise`` started, whose errors are printed as those of the command."""
    with quick_imports():
        from verydeep.cli.main import exit_code
        from verydeep.serve.logs import log_to_stdout
        from verydeep.serve.run import server

    def run() -> None:
        running = server(network(), limits, token, counts)
        log_to_stdout()
        running.run(sockets=[listener])

    return exit_code(run)


def _load(
    path: Path, threads: int | None, device: Device, runtime: RuntimeFlag | None, batch: int
) -> "ServedNetwork":
    """The network at ``path``; only a run or a checkpoint needs torch."""
    if is_bundle(path):
        from verydeep.serve.served import served_from_exported

        return served_from_exported(
            load_exported_network(path, device, runtime, batch=batch, threads=threads)
        )
    refuse_page(path)
    check_torch_runtime(path, runtime)
    with quick_imports():  # of torch, which a bundle does without
        from verydeep.cli.serve_checkpoint import serve_checkpoint

    return serve_checkpoint(path, threads, device)
