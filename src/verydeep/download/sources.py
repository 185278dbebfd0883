"""The sources that published files may come through, and the cache that takes in only what is whole."""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock

from verydeep.atomic_write import atomic_write
from verydeep.download.checksum import Checksum
from verydeep.download.debian import unpack_package
from verydeep.download.download import Progress, fetch, offline
from verydeep.errors import DownloadError

_TIMEOUT = 5.0  # seconds, so that a machine without a net moves on to the next door
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedFile:
    """One file, as its authors publish it and as a package may hold it."""

    name: str
    published: Checksum
    packaged: Checksum | None = None
    """Where the package holds other bytes with the same content, such as a gzip file without its name."""

    def fault(self, path: Path) -> str | None:
        """What is wrong with the file at ``path``, in words; None where it is one of the known ones."""
        fault = self.published.fault(path)
        if fault and self.packaged and not self.packaged.fault(path):
            return None
        return fault


@dataclass(frozen=True)
class Package:
    """A Debian package, and where below the root it has its files."""

    name: str
    folder: str


@dataclass(frozen=True)
class PublishedFiles:
    """Something published, a data set or weights: what its files are, and where they are to be had."""

    name: str
    folder: str
    """Where its files lie in the cache, and in a copy of the cache on the net: such as "data/cifar10"."""
    files: tuple[PublishedFile, ...]
    addresses: tuple[str, ...]
    """Folders on the net, each ending in "/"; the first that answers is used."""
    package: Package | None = None
    """Ships the same files, in Debian."""


def cache_root() -> Path:
    """The folder for what was fetched: ``$VERYDEEP_CACHE``, else ``~/.cache/verydeep``."""
    return Path(os.environ.get("VERYDEEP_CACHE") or "~/.cache/verydeep").expanduser()


def mirrors() -> tuple[str, ...]:
    """The addresses in ``$VERYDEEP_MIRROR``, apart by blanks: copies of a cache, as a class may share."""
    return tuple(f"{address.rstrip('/')}/" for address in os.environ.get("VERYDEEP_MIRROR", "").split())


def obtain(source: PublishedFiles, cache: Path, progress: Progress | None = None) -> Path:
    """The folder in ``cache`` with every file of ``source``, each checked against its checksum.

    Tried in order: the cache, the files of an installed Debian package, the mirrors of the environment, the
    published addresses, the Debian package downloaded for this. A broken file in the cache is reported in
    the log and replaced. Processes that want the same files wait for the one that fetches them.

    Raises:
        DownloadError: names each door with what went wrong there, and where files may be put by hand.
    """
    folder = cache / source.folder
    if not _missing(source, folder):  # without a lock, so that a cache may be read-only
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            _remove_broken(source, folder)
            _try_doors(source, folder, progress)
    except OSError as error:
        raise DownloadError(
            f"{folder} cannot be written: {error}. Make room, or name another folder in the environment as "
            "VERYDEEP_CACHE."
        ) from error
    return folder


def _missing(source: PublishedFiles, folder: Path) -> list[PublishedFile]:
    return [file for file in source.files if not _is_whole(file, folder / file.name)]


def _is_whole(file: PublishedFile, path: Path) -> bool:
    return path.is_file() and file.fault(path) is None


def _remove_broken(source: PublishedFiles, folder: Path) -> None:
    for file in source.files:
        path = folder / file.name
        if path.is_file() and (fault := file.fault(path)):
            _log.warning("%s is broken: %s; it is replaced", path, fault)
            path.unlink()


def _try_doors(source: PublishedFiles, folder: Path, progress: Progress | None) -> None:
    addresses = (*(f"{mirror}{source.folder}/" for mirror in mirrors()), *source.addresses)
    sources: list[DownloadSource] = [partial(_published, addresses, progress)]
    if source.package:
        sources = [partial(_installed, source.package), *sources, partial(_unpacked, source.package)]
    reasons = []
    for door in sources:
        try:
            return door(_missing(source, folder), folder)
        except DownloadError as error:
            reasons.append(str(error))
    missing = ", ".join(file.name for file in _missing(source, folder))
    checked = "; they are checked" if all(file.published.digest for file in source.files) else ""
    by_hand = f"Files fetched by hand from {source.addresses[0]} may be put into {folder}{checked}."
    raise DownloadError(
        "\n- ".join([f"{source.name} could not be had: {missing}", *reasons]) + f"\n{by_hand}"
    )


DownloadSource = Callable[[list[PublishedFile], Path], None]
"""Brings the missing files into the folder, or raises a DownloadError that says why not."""


def _installed(package: Package, missing: list[PublishedFile], folder: Path) -> None:
    shelf = Path("/") / package.folder
    if not shelf.is_dir():
        raise DownloadError(f"Debian's package {package.name} is not installed: there is no {shelf}")
    _take_in(shelf, missing, folder)


def _published(
    addresses: tuple[str, ...], progress: Progress | None, missing: list[PublishedFile], folder: Path
) -> None:
    """Fetch what is missing; where an address fails, the next one goes on from there."""
    waiting = list(missing)
    reasons = []
    for address in addresses:
        try:
            while waiting:
                _fetch_one(address, waiting[0], folder, progress)
                waiting.pop(0)
            return
        except DownloadError as error:
            reasons.append(str(error))
    raise DownloadError("\n- ".join(reasons))


def _fetch_one(address: str, file: PublishedFile, folder: Path, progress: Progress | None) -> None:
    url = address + file.name
    fetch(url, folder / file.name, file.published, progress=progress, timeout=_TIMEOUT)


def _unpacked(package: Package, missing: list[PublishedFile], folder: Path) -> None:
    if variable := offline():
        raise DownloadError(f"Debian's package {package.name} is not downloaded, because {variable} is set")
    _log.info("downloading Debian's package %s", package.name)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".package-") as scratch:
        root = unpack_package(package.name, Path(scratch))
        _take_in(root / package.folder, missing, folder)


def _take_in(shelf: Path, missing: list[PublishedFile], folder: Path) -> None:
    """Copy what is missing from ``shelf`` into the cache, under its name only once it is checked."""
    for file in missing:
        if not (shelf / file.name).is_file():
            raise DownloadError(f"{shelf} has no {file.name}")
        with atomic_write(folder / file.name) as copy:
            shutil.copyfile(shelf / file.name, copy)
            if fault := file.fault(copy):
                raise DownloadError(f"{shelf / file.name}: {fault}")
