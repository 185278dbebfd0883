"""Chunks: the files of the feature cache. Each is named by a checksum of its content and of its folder.

A chunk is a safetensors file with

keys       (images, 16) uint8: a hash of all that is in the image's file
features   (images, values) fp32

A file whose content does not fit its name was damaged, or moved from the cache of another network: it is
deleted, and its features are computed again. A file that cannot be read at all is left alone.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

import torch
from jaxtyping import Float32, UInt8
from safetensors.torch import load, save
from torch import Tensor

from verydeep.atomic_write import atomic_write
from verydeep.data.content import HASH_BYTES

KEY_BYTES = HASH_BYTES
SUFFIX = ".safetensors"


class Chunks:
    """The chunks in ``folder``, which other processes may add to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: set[str] = set()

    def save(self, rows: dict[bytes, Float32[Tensor, " values"]]) -> None:
        """Write ``rows``, by the keys of their images, as a chunk.

        Raises:
            OSError: where the disk is full.
        """
        if rows:
            keys = torch.frombuffer(bytearray(b"".join(rows)), dtype=torch.uint8).view(-1, KEY_BYTES)
            content = save({"keys": keys, "features": torch.stack(list(rows.values()))})
            chunk = self.folder / (self._checksum(content) + SUFFIX)
            with atomic_write(chunk) as temporary:
                temporary.write_bytes(content)
            self._read.add(chunk.name)

    def read_new(self, wanted: set[bytes]) -> dict[bytes, Float32[Tensor, " values"]]:
        """The rows of ``wanted`` in the chunks that this has not read yet."""
        found: dict[bytes, Tensor] = {}
        for chunk in sorted(self.folder.glob(f"*{SUFFIX}")):
            if chunk.name not in self._read:
                self._read.add(chunk.name)
                with suppress(OSError):  # it may not be read, or deleted
                    found |= {key: row for key, row in self._rows(chunk).items() if key in wanted}
        return found

    def _rows(self, chunk: Path) -> dict[bytes, Tensor]:
        """All rows of a chunk; none, where it is damaged."""
        content = chunk.read_bytes()
        if chunk.stem != self._checksum(content):
            chunk.unlink()
            return {}
        tensors = load(content)
        keys: UInt8[Tensor, "images bytes"] = tensors["keys"]
        return dict(zip((row.tobytes() for row in keys.numpy()), tensors["features"], strict=True))

    def _checksum(self, content: bytes) -> str:
        digest = hashlib.blake2b(self.folder.name.encode(), digest_size=KEY_BYTES)
        digest.update(content)
        return digest.hexdigest()
