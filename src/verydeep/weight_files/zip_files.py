"""Opens zip files of weights and reads their entries, bounded in count and bytes before memory is taken."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from verydeep.errors import CheckpointError
from verydeep.weight_files.checks import broken_file_error, check_expansion

MAX_DIRECTORY = 16 << 20
"""Bytes of the table of contents. A training checkpoint with 10,000 tensors has less than 1 MB."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_TAIL = 1 << 17
"""The last bytes of a file, which hold the end record: 22 bytes, after a comment of up to 64 KiB."""
_PIECE = 1 << 20
_BROKEN = (
    zipfile.BadZipFile,  # no table of contents, cut headers, wrong checksums
    zlib.error,  # compressed bytes that cannot be inflated
    EOFError,  # compressed bytes that end early
    NotImplementedError,  # what zipfile raises for a damaged version number, or for patched data
    ValueError,  # a position before the start of the file, a name that is not in its encoding
    OSError,  # a position that the file system refuses
)
"""What Python raises for damaged bytes. Whether the file can be opened at all is known before."""


def open_zip(path: Path) -> zipfile.ZipFile:
    """The zip file at ``path``.

    Raises:
        CheckpointError: where it is broken, encrypted or compressed by an unusual method, has far too many
            entries, or unpacks to far too many bytes.
    """
    _check_directory(path)
    try:
        opened = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise broken_file_error(path, "a zip", error) from None
    try:
        for entry in opened.infolist():
            _check_entry(path, entry)
        check_expansion(path, sum(entry.file_size for entry in opened.infolist()))
    except CheckpointError:
        opened.close()
        raise
    return opened


def _check_directory(path: Path) -> None:
    """Refuse a table of contents that is far longer than that of any weight file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        tail = file.read()
    end, end64 = tail.rfind(b"PK\x05\x06"), tail.rfind(b"PK\x06\x06")
    size = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if size == 0xFFFFFFFF and end64 >= 0:
        size = int.from_bytes(tail[end64 + 40 : end64 + 48], "little")
    if MAX_DIRECTORY < size <= path.stat().st_size:
        raise CheckpointError(
            f"{path} is a zip file whose table of contents has {size:,} bytes; a weight file needs less than "
            f"{MAX_DIRECTORY:,}. Give a file that torch, numpy or Keras saved"
        )


def _check_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & 1:
        raise CheckpointError(
            f"{path} is encrypted ({entry.filename}). Decrypt it first, then give the result"
        )
    if entry.compress_type not in _METHODS:
        raise CheckpointError(
            f"{path} has the entry {entry.filename}, compressed by method {entry.compress_type}; expected "
            "uncompressed or deflated entries. Save it again uncompressed"
        )


def entry_pieces(path: Path, opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of ``entry``, piece by piece: never more than its stated size.

    Raises:
        CheckpointError: where its bytes are broken, or are not as many as stated.
    """
    count = 0
    try:
        with opened.open(entry) as file:
            while piece := file.read(_PIECE):  # with a size, no more than that is inflated at once
                count += len(piece)
                yield piece
        if count != entry.file_size:
            raise zipfile.BadZipFile(f"{entry.filename} has {count:,} bytes, not {entry.file_size:,}")
    except _BROKEN as error:
        raise broken_file_error(path, "a zip", error) from None
