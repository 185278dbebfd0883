"""A hash of the content of each image file: it recognizes an image that was renamed or moved."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from verydeep.decoding.stream import read_ahead
from verydeep.errors import DataError
from verydeep.image_sources.image_source import ImageSource

HASH_BYTES = 16
BATCH = 256
"""Images that are read at a time."""


def content_hashes(sources: Sequence[ImageSource]) -> list[bytes]:
    """A hash of the content of each source; a unique one for what cannot be read, which decoding reports."""
    starts = range(0, len(sources), BATCH)
    batches = (sources[start : start + BATCH] for start in starts)
    return [each for hashes in read_ahead(batches, _content_hash, None) for each in hashes]


def _content_hash(source: ImageSource) -> bytes:
    try:
        content = source.read_bytes() if isinstance(source, Path) else source.read()
    except (OSError, DataError):
        content = f"unreadable {source}".encode()
    return hashlib.blake2b(content, digest_size=HASH_BYTES).digest()
