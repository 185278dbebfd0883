"""Download published weights by name, unless this machine already has the file, and verify the checksum."""

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from verydeep.atomic_write import write_text
from verydeep.download.checksum import Checksum
from verydeep.download.download import Progress
from verydeep.download.sources import cache_root, obtain
from verydeep.user_path import user_path
from verydeep.weights.catalog import HUB, PublishedWeights, find_published, hub_endpoint

_log = logging.getLogger(__name__)


def download_weights(
    name: str | PublishedWeights, cache: Path | None = None, progress: Progress | None = None
) -> Path:
    """The local file of the weights ``name``, downloaded if no cache has it, with a verified checksum.

    The caches of this package, torch.hub, Keras and Hugging Face are searched, and a file is used where it
    is. A file whose checksum was verified before is not read again while its size and modification time stay
    the same: the SHA-256 of VGG16 took 2.1 s, its MD5 4.5 s, and torch.load of as many numbers 1.4 s (one
    busy core).

    Args:
        name: a name for `find_published` ("vgg16", "vgg16.keras_notop"), or a row of the catalog.
        cache: the cache folder; `cache_root()` by default.
        progress: called during a download, with the bytes received and the bytes in total.

    Raises:
        CheckpointError: where there are no such weights, with the closest names.
        DownloadError: with the problem at each address, and the folder for a file that is downloaded by hand.
    """
    weights = find_published(name) if isinstance(name, str) else name
    root = cache or cache_root()
    return _verified_before(weights, root) or obtain_weights(weights, root, progress)


def cached_weights(weights: PublishedWeights, cache: Path | None = None) -> Path | None:
    """The local file of ``weights``, if a cache of this package or another program has it; no download.

    Only a file whose checksum is right counts.
    """
    root = cache or cache_root()
    own = root / weights.source.folder / weights.file
    if path := _verified_before(weights, root) or _from_other_cache(weights, root):
        return path
    return own if own.is_file() and weights.checksum.mismatch(own) is None else None


def obtain_weights(weights: PublishedWeights, root: Path, progress: Progress | None = None) -> Path:
    """As `download_weights`, but the checksum is always computed again."""
    path = _from_other_cache(weights, root)
    if path is None:
        source = weights.source
        if hub_endpoint() != HUB:
            addresses = tuple(address.replace(HUB, hub_endpoint(), 1) for address in source.addresses)
            source = replace(source, addresses=addresses)
        path = obtain(source, root, progress) / weights.file
    _record_verified(weights, root, path)
    return path


def _record_path(weights: PublishedWeights, root: Path) -> Path:
    return root / weights.source.folder / f"{weights.file}.checked"


def _state(weights: PublishedWeights, path: Path) -> dict[str, Any]:
    """What is recorded of a verified file, to notice a later change."""
    stat = path.stat()
    return {
        "path": str(path),
        "bytes": stat.st_size,
        "modified_ns": stat.st_mtime_ns,
        "digest": weights.checksum.digest,
    }


def _verified_before(weights: PublishedWeights, root: Path) -> Path | None:
    try:
        recorded = json.loads(_record_path(weights, root).read_text(encoding="utf-8"))
        path = Path(recorded["path"])
        return path if recorded == _state(weights, path) else None
    except (OSError, ValueError, KeyError, TypeError):  # no record, or one that cannot be read
        return None


def _record_verified(weights: PublishedWeights, root: Path, path: Path) -> None:
    text = json.dumps(_state(weights, path))
    with suppress(OSError):  # a cache may be read-only
        write_text(_record_path(weights, root), text)


def _from_other_cache(weights: PublishedWeights, root: Path) -> Path | None:
    """The file in the cache of another program, if its checksum is right and our cache does not have it."""
    if (root / weights.source.folder / weights.file).is_file():
        return None
    for path, checksum in _other_caches(weights):
        if mismatch := checksum.mismatch(path):
            _log.warning("ignoring %s: %s", path, mismatch)
        else:
            _log.info("using %s for %s", path, weights.name)
            return path
    return None


def _other_caches(weights: PublishedWeights) -> Iterator[tuple[Path, Checksum]]:
    """The file in the caches of other programs, where its checksum is known."""
    caches = {"torchvision": _torch_hub, "keras": _keras, "timm": _hugging_face}
    for path in caches[weights.publisher](weights):
        if path.is_file() and (checksum := _known_checksum(weights.checksum, path)):
            yield path, checksum


def _torch_hub(weights: PublishedWeights) -> list[Path]:
    home = os.environ.get("TORCH_HOME") or _user_cache() / "torch"
    return [user_path(home) / "hub" / "checkpoints" / weights.file]


def _keras(weights: PublishedWeights) -> list[Path]:
    return [user_path(os.environ.get("KERAS_HOME") or "~/.keras") / "models" / weights.file]


def _hugging_face(weights: PublishedWeights) -> list[Path]:
    home = user_path(os.environ.get("HF_HOME") or _user_cache() / "huggingface")
    hub = user_path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return sorted((hub / f"models--timm--{weights.name}").glob(f"snapshots/*/{weights.file}"))


def _user_cache() -> Path:
    return user_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")


def _known_checksum(stated: Checksum, path: Path) -> Checksum | None:
    """The stated checksum, or the hash in the name of the blob in Hugging Face's cache; None if neither."""
    if stated.digest:
        return stated
    blob = path.resolve().name
    return Checksum(f"sha256:{blob}") if re.fullmatch("[0-9a-f]{64}", blob) else None
