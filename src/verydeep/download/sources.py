"""Download sources of published files (mirrors, published addresses, Debian packages), and their cache."""

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
from verydeep.download.download import Progress, fetch
from verydeep.download.offline import offline
from verydeep.errors import DownloadError
from verydeep.user_path import user_path

PACKAGE_PREFIX = ".package-"
"""Of the temporary folder that a Debian package is unpacked in, beside the files that are wanted."""
_TIMEOUT = 5.0  # seconds, so that a machine without a network soon tries the next download source
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedFile:
    """One published file."""

    name: str
    published: Checksum
    packaged: Checksum | None = None
    """The checksum in the Debian package, if its bytes differ, as with another gzip header."""

    def mismatch(self, path: Path) -> str | None:
        """How the file at ``path`` differs, as text; None if it matches one of the checksums."""
        mismatch = self.published.mismatch(path)
        if mismatch and self.packaged and not self.packaged.mismatch(path):
            return None
        return mismatch


@dataclass(frozen=True)
class Package:
    """A Debian package, and the folder of its files, relative to the root."""

    name: str
    folder: str


@dataclass(frozen=True)
class PublishedFiles:
    """A published data set or weights: its files and their download sources."""

    name: str
    folder: str
    """The folder of its files in the cache and in mirrors, such as "data/cifar10"."""
    files: tuple[PublishedFile, ...]
    addresses: tuple[str, ...]
    """URLs of folders, each ending in "/", tried in order."""
    package: Package | None = None
    """The Debian package with the same files."""


def cache_root() -> Path:
    """The folder for downloaded files: ``$VERYDEEP_CACHE``, by default ``~/.cache/verydeep``."""
    return user_path(os.environ.get("VERYDEEP_CACHE") or "~/.cache/verydeep")


def mirrors() -> tuple[str, ...]:
    """The URLs in ``$VERYDEEP_MIRROR``, separated by spaces: copies of a cache, for example for a class."""
    return tuple(f"{address.rstrip('/')}/" for address in os.environ.get("VERYDEEP_MIRROR", "").split())


def obtain(files: PublishedFiles, cache: Path, progress: Progress | None = None) -> Path:
    """The folder in ``cache`` with all ``files``, whose checksums are verified.

    Tried in order: the cache, an installed Debian package, the mirrors, the published addresses, the Debian
    package downloaded temporarily. A corrupt file in the cache is logged and replaced. Concurrent processes
    that need the same files wait for the one that downloads them.

    Raises:
        DownloadError: lists every download source with its error, and where to put the files manually.
    """
    folder = cache / files.folder
    if not _missing(files, folder):  # without a lock, so that a cache may be read-only
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            _remove_corrupt(files, folder)
            _try_sources(files, folder, progress)
    except OSError as error:
        raise DownloadError(
            f"{folder} cannot be written: {error}. Free some disk space, or set VERYDEEP_CACHE to another "
            "folder."
        ) from error
    return folder


def _missing(files: PublishedFiles, folder: Path) -> list[PublishedFile]:
    return [file for file in files.files if not _is_complete(file, folder / file.name)]


def _is_complete(file: PublishedFile, path: Path) -> bool:
    return path.is_file() and file.mismatch(path) is None


def _remove_corrupt(files: PublishedFiles, folder: Path) -> None:
    for file in files.files:
        path = folder / file.name
        if path.is_file() and (mismatch := file.mismatch(path)):
            _log.warning("%s is corrupt: %s; it is replaced", path, mismatch)
            path.unlink()


DownloadSource = Callable[[list[PublishedFile], Path], None]
"""Writes the missing files into the folder, or raises a DownloadError with the reason."""


def _try_sources(files: PublishedFiles, folder: Path, progress: Progress | None) -> None:
    errors = []
    for source in _sources(files, progress):
        try:
            return source(_missing(files, folder), folder)
        except DownloadError as error:
            errors.append(str(error))
    missing = ", ".join(file.name for file in _missing(files, folder))
    verified = "; their checksums are verified" if all(file.published.digest for file in files.files) else ""
    manually = f"You can put files from {files.addresses[0]} into {folder} yourself{verified}."
    raise DownloadError(
        "\n- ".join([f"Could not download {files.name} ({missing})", *errors]) + f"\n{manually}"
    )


def _sources(files: PublishedFiles, progress: Progress | None) -> list[DownloadSource]:
    addresses = (*(f"{mirror}{files.folder}/" for mirror in mirrors()), *files.addresses)
    online = partial(_download, addresses, progress)
    if files.package is None:
        return [online]
    return [partial(_copy_installed, files.package), online, partial(_download_package, files.package)]


def _copy_installed(package: Package, missing: list[PublishedFile], folder: Path) -> None:
    installed = Path("/") / package.folder
    if not installed.is_dir():
        raise DownloadError(f"Debian's package {package.name} is not installed: {installed} does not exist")
    _copy_verified(installed, missing, folder)


def _download(
    addresses: tuple[str, ...], progress: Progress | None, missing: list[PublishedFile], folder: Path
) -> None:
    """Download the missing files; if an address fails, the next one continues with the same file."""
    waiting = list(missing)
    errors = []
    for address in addresses:
        try:
            while waiting:
                _download_file(address, waiting[0], folder, progress)
                waiting.pop(0)
            return
        except DownloadError as error:
            errors.append(str(error))
    raise DownloadError("\n- ".join(errors))


def _download_file(address: str, file: PublishedFile, folder: Path, progress: Progress | None) -> None:
    url = address + file.name
    fetch(url, folder / file.name, file.published, progress=progress, timeout=_TIMEOUT)


def _download_package(package: Package, missing: list[PublishedFile], folder: Path) -> None:
    if variable := offline():
        raise DownloadError(f"Debian's package {package.name} is not downloaded, because {variable} is set")
    _log.info("downloading Debian's package %s", package.name)
    with tempfile.TemporaryDirectory(dir=folder, prefix=PACKAGE_PREFIX) as scratch:
        root = unpack_package(package.name, Path(scratch))
        _copy_verified(root / package.folder, missing, folder)


def _copy_verified(source: Path, missing: list[PublishedFile], folder: Path) -> None:
    """Copy the missing files from ``source`` into the cache; each gets its name after it was verified."""
    for file in missing:
        if not (source / file.name).is_file():
            raise DownloadError(f"{source} has no {file.name}")
        with atomic_write(folder / file.name) as copy:
            shutil.copyfile(source / file.name, copy)
            if mismatch := file.mismatch(copy):
                raise DownloadError(f"{source / file.name}: {mismatch}")
