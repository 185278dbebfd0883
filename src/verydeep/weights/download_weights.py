"""From a name in the catalog to a file on this machine: one that is there already, or one that is fetched."""

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from verydeep.atomic_write import atomic_write
from verydeep.download.checksum import Checksum
from verydeep.download.download import Progress
from verydeep.download.sources import cache_root, obtain
from verydeep.weights.catalog import HUB, PublishedWeights, find_published, hub_endpoint

_log = logging.getLogger(__name__)


def download_weights(
    name: str | PublishedWeights, cache: Path | None = None, progress: Progress | None = None
) -> Path:
    """The local file of the weights called ``name``, fetched if it is nowhere, and known to be whole.

    It is looked for in our cache, and in those of torch.hub, Keras and Hugging Face, where it is left. A
    file that was checked and has since kept its length and time is not read again for that: the SHA-256 of
    VGG16 took 2.1 s, its MD5 4.5 s, and torch.load of as many numbers 1.4 s (one busy core).

    Args:
        name: as `find_published` takes it ("vgg16", "vgg16.keras_notop"), or a row of the catalog.
        cache: where files are kept; `cache_root()` by default.
        progress: called while a file is fetched, with its bytes done and its bytes in all.

    Raises:
        CheckpointError: where there are no such weights, with the nearest names.
        DownloadError: names each address with what went wrong there, and where the file may be put by hand.
    """
    weights = find_published(name) if isinstance(name, str) else name
    root = cache or cache_root()
    return _checked_before(weights, root) or obtain_weights(weights, root, progress)


def obtain_weights(weights: PublishedWeights, root: Path, progress: Progress | None = None) -> Path:
    """The local file of ``weights``, as `download_weights` gives it, and checked now."""
    path = _found_elsewhere(weights, root)
    if path is None:
        source = weights.source
        if hub_endpoint() != HUB:
            moved = tuple(address.replace(HUB, hub_endpoint(), 1) for address in source.addresses)
            source = replace(source, addresses=moved)
        path = obtain(source, root, progress) / weights.file
    _write_receipt(weights, root, path)
    return path


def _receipt(weights: PublishedWeights, root: Path) -> Path:
    return root / weights.source.folder / f"{weights.file}.checked"


def _state(weights: PublishedWeights, path: Path) -> dict[str, Any]:
    """What a receipt says of a file that was checked."""
    stat = path.stat()
    return {
        "path": str(path),
        "bytes": stat.st_size,
        "modified_ns": stat.st_mtime_ns,
        "digest": weights.checksum.digest,
    }


def _checked_before(weights: PublishedWeights, root: Path) -> Path | None:
    try:
        noted = json.loads(_receipt(weights, root).read_text(encoding="utf-8"))
        path = Path(noted["path"])
        return path if noted == _state(weights, path) else None
    except (OSError, ValueError, KeyError, TypeError):  # no receipt, or none that can be read
        return None


def _write_receipt(weights: PublishedWeights, root: Path, path: Path) -> None:
    text = json.dumps(_state(weights, path))
    with suppress(OSError), atomic_write(_receipt(weights, root)) as temporary:  # a cache may be read-only
        temporary.write_text(text, encoding="utf-8")


def _found_elsewhere(weights: PublishedWeights, root: Path) -> Path | None:
    """The file in another program's cache, if it is as stated there and not in ours."""
    if (root / weights.source.folder / weights.file).is_file():
        return None
    for path, known in _elsewhere(weights):
        if mismatch := known.mismatch(path):
            _log.warning("%s is left aside: %s", path, mismatch)
        else:
            _log.info("%s is taken from %s", weights.name, path)
            return path
    return None


def _elsewhere(weights: PublishedWeights) -> Iterator[tuple[Path, Checksum]]:
    """The file in the caches of other programs, with what is known of it there."""
    places = {"torchvision": _torch_hub, "keras": _keras, "timm": _hugging_face}
    for path in places[weights.publisher](weights):
        if path.is_file() and (known := _known(weights.checksum, path)):
            yield path, known


def _torch_hub(weights: PublishedWeights) -> list[Path]:
    home = os.environ.get("TORCH_HOME") or _user_cache() / "torch"
    return [Path(home).expanduser() / "hub" / "checkpoints" / weights.file]


def _keras(weights: PublishedWeights) -> list[Path]:
    return [Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models" / weights.file]


def _hugging_face(weights: PublishedWeights) -> list[Path]:
    home = Path(os.environ.get("HF_HOME") or _user_cache() / "huggingface").expanduser()
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    return sorted((hub / f"models--timm--{weights.name}").glob(f"snapshots/*/{weights.file}"))


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def _known(stated: Checksum, path: Path) -> Checksum | None:
    """What is stated of the file, or the hash that is its name in Hugging Face's cache; None if neither."""
    if stated.digest:
        return stated
    blob = path.resolve().name
    return Checksum(f"sha256:{blob}") if re.fullmatch("[0-9a-f]{64}", blob) else None
