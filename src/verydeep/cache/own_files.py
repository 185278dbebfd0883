"""Which files in the cache folder are from verydeep, by the names that it gives."""

import re
from pathlib import Path

from verydeep.claim import LOCK
from verydeep.runtime.extras import TIMINGS
from verydeep.weights.catalog import catalog

PARTIAL = ".part"
"""After the name of a file whose download is unfinished."""
VERIFIED = ".checked"
"""After the name of a weight file: the record of its checksum."""
_FEATURES = re.compile(r"[\w-]+-\d+-[0-9a-f]{32}")
"""The folder of the features of one network."""
_CHUNK = re.compile(r"[0-9a-f]{32}\.safetensors")
_TIMING = re.compile(r"[0-9a-f]{32}\.json")
"""Which runtime was the fastest for an exported network."""
SHARE_LOCK = re.compile(r"\.(?P<share>[0-9a-f]{2})\.lock")
"""The claim on some of the features of a network."""


class OwnFiles:
    """The names of the files that verydeep writes below the cache folder ``root``."""

    def __init__(self, root: Path) -> None:
        self._downloads = {row.source.folder: {row.file} for row in catalog()}
        if (root / "data").is_dir():
            self._downloads |= _data_files()

    def is_place(self, folder: str) -> bool:
        """Whether ``folder``, such as ``data/cifar10``, is one that verydeep makes in the cache."""
        kind, _, name = folder.partition("/")
        is_features = kind == "features" and bool(_FEATURES.fullmatch(name))
        return folder in self._downloads or folder == TIMINGS or is_features

    def has(self, folder: str, file: str) -> bool:
        """Whether verydeep writes a file with this name into ``folder``, one of its places."""
        if folder == TIMINGS:
            return file == LOCK or bool(_TIMING.fullmatch(file))
        if folder not in self._downloads:
            return bool(_CHUNK.fullmatch(file) or SHARE_LOCK.fullmatch(file))
        return file == LOCK or file.removesuffix(PARTIAL).removesuffix(VERIFIED) in self._downloads[folder]


def is_lock(file: str) -> bool:
    """Whether ``file`` is empty, and only claims what is beside it."""
    return file == LOCK or bool(SHARE_LOCK.fullmatch(file))


def _data_files() -> dict[str, set[str]]:
    from verydeep.data.builtin import SOURCES  # torch, a second that a cache without data does not need

    return {source.folder: {file.name for file in source.files} for source in SOURCES.values()}
