"""Loads what RUN names: an exported network without torch, anything else as a checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING, Union

from verydeep.errors import CheckpointError
from verydeep.machine import Device
from verydeep.quick_imports import quick_imports
from verydeep.runtime.bundle import PAGE_NETWORK, is_bundle
from verydeep.runtime.exported_network import ExportedNetwork, load_exported
from verydeep.runtime.extras import RuntimeFlag
from verydeep.terminal.console import print_message
from verydeep.user_path import user_path
from verydeep.weights.catalog import refuse_published_name

if TYPE_CHECKING:
    from verydeep.models.checkpoint import Checkpoint


def load_network(
    run: Path,
    device: Device = "auto",
    runtime: RuntimeFlag | None = None,
    *,
    batch: int = 1,
    verify: bool = True,
    needs_head: bool = True,
) -> Union["Checkpoint", ExportedNetwork]:
    """The network of ``run``, ready to classify.

    Args:
        run: a bundle, a run folder, a checkpoint, or a weight file.
        device: where a checkpoint computes.
        runtime: what computes a bundle; by default the usual one of its format that is installed. ``auto``
            times them, and prints which one it takes.
        batch: images per batch, for this timing.
        verify: compare the tensors of a checkpoint with the checksum in it.
        needs_head: refuse a checkpoint without classes.

    Raises:
        CheckpointError: if there is none, it is broken, or a flag is not for it.
    """
    if not is_bundle(run):
        refuse_page(run)
        check_torch_runtime(run, runtime)
        return _checkpoint(run, device, verify, needs_head)
    if not verify:
        raise CheckpointError(f"{run} is an exported network; --no-verify is for the tensors of a checkpoint")
    return load_exported_network(run, device, runtime, batch=batch)


def require_network(run: Path) -> None:
    """Check that there is something at ``run``, before the images are looked for, which may take minutes.

    Raises:
        CheckpointError: if there is nothing.
    """
    refuse_published_name(run)
    if not user_path(run).exists():
        raise CheckpointError(
            f"there is no checkpoint at {run}. Give a run folder, a checkpoint or a weight file"
        )


def refuse_page(run: Path) -> None:
    """Check that ``run`` is not the folder of a page, which holds a network for a browser.

    Raises:
        CheckpointError: if it is one, with the file that will do.
    """
    if is_bundle(run / PAGE_NETWORK):
        raise CheckpointError(
            f"{run} is a page for the browser; give the network in it, {run / PAGE_NETWORK}"
        )


def refuse_exported(run: Path) -> None:
    """Check that ``run`` is no exported network, for commands that need its layers.

    Raises:
        CheckpointError: if it is one.
    """
    if is_bundle(run) or is_bundle(run / PAGE_NETWORK):
        raise CheckpointError(f"{run} is an exported network; give the run that it was exported from")


def check_torch_runtime(run: Path, runtime: RuntimeFlag | None) -> None:
    """Check that ``runtime`` fits a checkpoint, which only torch computes.

    Raises:
        CheckpointError: if it names another.
    """
    if runtime == "auto":
        print_message("Runtime torch, the only one for a checkpoint; `verydeep export` writes for others")
    elif runtime is not None:
        raise CheckpointError(f"{run} is computed by torch; --runtime is for exported networks")


def load_exported_network(
    path: Path, device: Device, runtime: RuntimeFlag | None, *, batch: int, threads: int | None = None
) -> ExportedNetwork:
    """The network of the bundle at ``path``, as ``load_network``."""
    if device != "auto":
        raise CheckpointError(f"{path} is an exported network, whose runtime chooses the device: no --device")
    if runtime != "auto":
        return load_exported(path, runtime, threads=threads)
    from verydeep.runtime.fastest_runtime import load_fastest  # only this needs the cache folder

    fastest = load_fastest(path, batch=batch, threads=threads)
    print_message(fastest.line)
    return fastest.network


def _checkpoint(run: Path, device: Device, verify: bool, needs_head: bool) -> "Checkpoint":
    with quick_imports():  # of torch, which a bundle does without
        from verydeep.train.device import choose_device
        from verydeep.weights.load import load, load_classifier

    checkpoint = (load_classifier if needs_head else load)(run, verify=verify)
    checkpoint.model.to(choose_device(device))
    return checkpoint
