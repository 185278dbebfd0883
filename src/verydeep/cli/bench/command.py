"""``verydeep bench``: latency, throughput, memory and size of a network in every installed runtime."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.bench.candidate import BenchRuntime
from verydeep.cli.load_network import refuse_page
from verydeep.errors import ShapeError
from verydeep.quick_imports import quick_imports
from verydeep.terminal.image_argument import Location
from verydeep.terminal.output_path import require_writable_file


def bench(
    model: Annotated[Path, Parameter(name="MODEL")],
    /,
    *,
    batch: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    runtimes: Annotated[list[BenchRuntime] | None, Parameter(consume_multiple=True)] = None,
    threads: int | None = None,
    images: Location | None = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Time the network of MODEL in every installed runtime, side by side: each in a process of its own, in
    turns.

    A run or checkpoint is exported to each format first; the rows are compared with torch in fp32,
    channels-last.

    Parameters
    ----------
    model
        A run folder, a checkpoint, or a network that `verydeep export` wrote.
    batch
        Batch sizes, such as 1 16; by default both of these.
    runtimes
        Which of torch, onnxruntime, openvino and ncnn; one that is missing is an error. By default all that
        are installed and can compute MODEL.
    threads
        Threads of each runtime; by default as many as there are cores.
    images
        Your own images: INT8 of a run is calibrated on a part, agreement and accuracy are measured on the
        others. Without them there is no INT8, and agreement is that on drawn shapes.
    out_
        Also write a page with a figure of the times, the table, the machine and the command.
    json
        Print one JSON list with one object per runtime, precision and batch size.
    """
    batches = list(dict.fromkeys(batch or [1, 16]))
    if min(batches) < 1:
        raise ShapeError(f"--batch is {', '.join(map(str, batches))}; expected numbers from 1 on")
    if threads is not None and threads < 1:
        raise ShapeError(f"--threads is {threads}; expected 1 or more")
    if out_ is not None:
        require_writable_file(out_)
    refuse_page(model)
    with quick_imports():  # imports torch: arguments are checked before
        from verydeep.cli.bench.run import time_runtimes

    return time_runtimes(
        model,
        batches,
        runtimes,
        threads=threads,
        images=images,
        page=out_,
        json=json,
    )
