"""Runs of verydeep in a folder of images: `cd photos && verydeep tune .` writes one beside the classes."""

from collections.abc import Iterator
from pathlib import Path

from verydeep.claim import LOCK
from verydeep.image_sources.folders.folder_tree import Folder

RUN_FILES = ("tune.toml", "recipe.toml", "compress.json", "compress-state")
"""Each marks the folder of a tuning, a training or a compression (``train/run_folder.py``)."""


def remove_runs(top: Folder) -> int:
    """Take the folders of runs, and those of nothing but runs, out of the tree below ``top``.

    Returns:
        How many images were in them.
    """
    images, emptied = top.total, set[Path]()
    for folder in reversed(list(_all_folders(top))):  # those in a folder come before it
        kept = {
            name: each
            for name, each in folder.folders.items()
            if each.path not in emptied and not _holds_run(each)
        }
        folder.total = len(folder.images) + sum(each.total for each in kept.values())
        if len(kept) < len(folder.folders) and not folder.total:
            emptied.add(folder.path)
        folder.folders = kept
    return images - top.total


def _all_folders(top: Folder) -> Iterator[Folder]:
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        yield folder
        waiting += folder.folders.values()


def _holds_run(folder: Folder) -> bool:
    """Whether a run is in it, or is about to be: at first, a run folder is only claimed."""
    marks = RUN_FILES if folder.has_images() else (*RUN_FILES, LOCK)
    try:
        return any((folder.path / mark).exists() for mark in marks)
    except OSError:  # no permission, which the walk has counted
        return False
