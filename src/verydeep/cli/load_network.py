"""Loads what RUN names: an exported network without torch, anything else as a checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING, Union

from verydeep.errors import CheckpointError
from verydeep.machine import Device
from verydeep.runtime.bundle import is_bundle
from verydeep.runtime.exported_network import ExportedNetwork, load_exported
from verydeep.runtime.extras import Runtime

if TYPE_CHECKING:
    from verydeep.models.checkpoint import Checkpoint


def load_network(
    run: Path,
    device: Device = "auto",
    runtime: Runtime | None = None,
    *,
    verify: bool = True,
    needs_head: bool = True,
) -> Union["Checkpoint", ExportedNetwork]:
    """The network of ``run``, ready to classify.

    Args:
        run: a bundle, a run folder, a checkpoint, or a weight file.
        device: where a checkpoint computes.
        runtime: what computes a bundle; by default the usual one of its format that is installed.
        verify: compare the tensors of a checkpoint with the checksum in it.
        needs_head: refuse a checkpoint without classes.

    Raises:
        CheckpointError: if there is none, it is broken, or ``device`` or ``runtime`` is not for it.
    """
    if not is_bundle(run):
        if runtime is not None:
            raise CheckpointError(f"{run} is computed by torch; --runtime is for exported networks")
        return _checkpoint(run, device, verify, needs_head)
    refuse_device(run, device)
    return load_exported(run, runtime)


def refuse_device(bundle: Path, device: Device) -> None:
    """Refuse a ``device`` for an exported network.

    Raises:
        CheckpointError: if it is not auto.
    """
    if device != "auto":
        raise CheckpointError(
            f"{bundle} is an exported network, whose runtime chooses the device: no --device"
        )


def _checkpoint(run: Path, device: Device, verify: bool, needs_head: bool) -> "Checkpoint":
    from verydeep.train.device import choose_device  # both import torch, which a bundle does without
    from verydeep.weights.load import load, load_classifier

    checkpoint = (load_classifier if needs_head else load)(run, verify=verify)
    checkpoint.model.to(choose_device(device))
    return checkpoint
