"""Exports a checkpoint to a folder with a Python module in plain PyTorch, compared with the checkpoint."""

from pathlib import Path

from verydeep.atomic_write import atomic_folder
from verydeep.export.check_images import GivenImages, drawn_images
from verydeep.export.export_bundle import Exported, at_size, bytes_of, checked
from verydeep.export.to_torch import WrittenModule, write_torch
from verydeep.models.checkpoint import Checkpoint
from verydeep.runtime.bundle import LOGITS


def export_torch(
    checkpoint: Checkpoint,
    path: Path,
    images: GivenImages | None = None,
    *,
    size: int | None = None,
    allow_loss: bool = False,
) -> Exported:
    """Write ``checkpoint`` to the new folder ``path`` as a module and its weights.

    Args:
        checkpoint: a network with a head.
        path: the folder.
        images: for the comparison; drawn shapes by default.
        size: the side of images in px; None for that of the checkpoint, and a comparison at other sizes too.
        allow_loss: write the module even if it disagrees.

    Raises:
        CheckpointError: if the written module fails, or disagrees with the checkpoint.
    """
    network = at_size(checkpoint, size)
    with atomic_folder(path) as folder:
        write_torch(network, folder)
        parity = checked(
            network,
            WrittenModule(folder, network),
            images.check if images else drawn_images(network.preprocess),
            size=size,
            allow_loss=allow_loss,
        )
        written = bytes_of(folder)
    return Exported(
        path=path,
        format="torch",
        precision="fp32",
        size=size,
        outputs=(LOGITS,),
        parity=parity,
        bytes=written,
    )
