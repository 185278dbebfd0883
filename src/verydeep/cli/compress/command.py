"""``verydeep compress``: a smaller and faster network that loses at most what is allowed."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.cli.load_network import refuse_exported
from verydeep.compress.settings import STEPS, CompressSettings, parse_limit, parse_steps
from verydeep.quick_imports import quick_imports
from verydeep.terminal.image_argument import Location
from verydeep.terminal.output_path import require_writable_folder
from verydeep.train.run_folder import run_name
from verydeep.tune.config import seconds

RUNS = Path("runs")
"""The folder of runs without --out."""


def compress(
    run: Annotated[Path, Parameter(name="RUN")],
    /,
    *,
    data: Location | None = None,
    drop: float | None = None,
    strict: Annotated[bool, Parameter(negative="")] = False,
    latency: str | None = None,
    bytes_: Annotated[str | None, Parameter(name="--bytes")] = None,
    steps: str = ",".join(STEPS),
    budget: str = "0s",
    threads: int = 1,
    batch: int = 1,
    seed: int = 0,
    new: Annotated[bool, Parameter(negative="")] = False,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Make the network of RUN smaller and faster, and measure what that costs.

    Batch norms are folded, channels removed layer by layer, as many as the limit allows, without training
    unless --budget allows it, and weights become integers of 4 bits or so. What is kept is decided on
    validation images; the test images are read once, at the end. Where it was stopped, the same command
    continues.

    Parameters
    ----------
    run
        A run folder of `train` or `tune`, a checkpoint, or a weight file of torchvision, timm, Keras or
        others.
    data
        Images to calibrate by: a folder, a list, shards or a built-in data set. By default those that RUN was
        trained on, where they are still there.
    drop
        Percentage points of accuracy (for a run of `tune`: balanced accuracy) that may be lost; 0.1 by
        default.
    strict
        Not only the estimate of the loss, but its one-sided 95 % bound must be within --drop.
    latency
        Instead of --drop: the latency to reach, such as 5ms, with the least loss.
    bytes_
        Instead of --drop: the size of the file to reach, such as 60KB, with the least loss.
    steps
        Which steps: fold, narrow, distill and scratch (which train, with --budget), quantize.
    budget
        How long training may take, such as 10m, for narrow networks that lose too much without it, and for
        small ones from scratch; by default 0s: nothing is trained. none is without limit.
    threads
        Threads that latency is measured with.
    batch
        Images per batch that latency is measured with.
    seed
        Of all that is sampled.
    new
        Start over where an unfinished compression is in --out.
    out_
        The folder of the result; runs/compress-RUN by default.
    json
        Print one JSON object: run, architecture, before, after, test, steps.
    """
    limit = parse_limit(drop, latency, bytes_, strict=strict)
    settings = CompressSettings(
        limit=limit,
        steps=parse_steps(steps),
        budget_s=seconds(budget),
        threads=threads,
        batch=batch,
        seed=seed,
    )
    folder = out_ or RUNS / run_name("compress", str(run))
    require_writable_folder(folder)
    refuse_exported(run)
    with quick_imports():  # imports torch: arguments are checked before
        from verydeep.cli.compress.run import compress_run

    return compress_run(run, folder, settings, data=data, new=new, json=json)
