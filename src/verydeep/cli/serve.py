"""``verydeep serve``: an HTTP server for one network."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from verydeep.cli.load_network import check_torch_runtime, load_exported_network, refuse_page
from verydeep.errors import DataError
from verydeep.machine import Device
from verydeep.runtime.bundle import is_bundle
from verydeep.runtime.extras import RuntimeFlag
from verydeep.terminal.console import print_message

if TYPE_CHECKING:
    from verydeep.serve.served import ServedNetwork

EXTRA = ("fastapi", "python_multipart", "uvicorn")


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
        Images that wait at most; further ones are answered at once with status 503.
    token_file
        A file with a token, which requests to /v1 and /metrics then need: `Authorization: Bearer TOKEN`.
    threads
        Threads of the network; as many as the processor has cores by default.
    device
        Where a run or a checkpoint computes; auto uses a GPU if there is one.
    runtime
        What computes an exported network; by default the usual one for its format. auto is the fastest one
        on this machine, which is timed once.
    """
    if missing := [name for name in EXTRA if find_spec(name) is None]:
        raise DataError(f"the server needs {missing[0]}. Install it: pip install 'verydeep[serve]'")
    if threads is not None and threads < 1:
        raise DataError(f"--threads is {threads}; expected 1 or more")
    from verydeep.serve.limits import Limits
    from verydeep.serve.logs import log_to_stdout
    from verydeep.serve.run import listen, read_token, server

    limits = Limits(max_batch=max_batch, max_wait_ms=max_wait_ms, max_queue=max_queue)
    token = read_token(token_file) if token_file else None
    with listen(host, port) as listener:
        running = server(_load(bundle, threads, device, runtime, max_batch), limits, token)
        log_to_stdout()
        address = f"[{host}]" if ":" in host else host
        print_message(f"Serving {bundle} on http://{address}:{listener.getsockname()[1]}/ (Ctrl-C stops it)")
        running.run(sockets=[listener])
    return 0


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
    from verydeep.cli.serve_checkpoint import serve_checkpoint  # it imports torch

    return serve_checkpoint(path, threads, device)
