"""A hash of the content of each image file: it recognizes an image that was renamed or moved."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from verydeep.errors import DataError
from verydeep.image_sources.image_source import ImageSource

HASH_BYTES = 16


def content_hashes(sources: Sequence[ImageSource]) -> list[bytes]:
    """A hash of the content of each source; a unique one for what cannot be read, which decoding reports."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_content_hash, sources))


def _content_hash(source: ImageSource) -> bytes:
    try:
        content = source.read_bytes() if isinstance(source, Path) else source.read()
    except (OSError, DataError):
        content = f"unreadable {source}".encode()
    return hashlib.blake2b(content, digest_size=HASH_BYTES).digest()
