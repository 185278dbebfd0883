"""The metadata of an ONNX file, read without loading the network or any library.

An ONNX file is a protobuf message: fields with a number, a type and a length. Only the field of the metadata
is read, the others are skipped (onnx.proto, ``ModelProto.metadata_props``).
"""

import io
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

from verydeep.errors import CheckpointError

_METADATA = 14  # ModelProto.metadata_props, of StringStringEntryProto
_KEY, _VALUE = 1, 2
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_FIXED_LENGTHS = {_FIXED_64: 8, _FIXED_32: 4}
_MAX_ENTRY_BYTES = 64_000_000
_MAX_ENTRIES = 10_000


def onnx_metadata(path: Path) -> dict[str, str]:
    """The metadata of the ONNX file at ``path``, by key.

    Raises:
        CheckpointError: if it is no ONNX file, or a truncated one.
    """
    try:
        with path.open("rb") as file:
            entries = [_entry(content) for content in _fields(file, path.stat().st_size, _METADATA)]
        return {key.decode(): value.decode() for key, value in entries}
    except FileNotFoundError:
        raise CheckpointError(f"there is no file {path}") from None
    except (ValueError, EOFError) as error:
        raise CheckpointError(f"{path} is not an ONNX file, or is truncated: {error}") from None


def _fields(file: BufferedIOBase, end: int, wanted: int) -> Iterator[bytes]:
    """The contents of all fields with the number ``wanted`` of the message that ends at ``end``."""
    entries = 0
    while file.tell() < end:
        number, kind = divmod(_varint(file), 8)
        if kind == _VARINT:
            _varint(file)
            continue
        length = _varint(file) if kind == _BYTES else _FIXED_LENGTHS.get(kind)
        if length is None or file.tell() + length > end:
            raise ValueError(f"a field of type {kind} ends outside of the file")
        if number != wanted or kind != _BYTES:
            file.seek(length, 1)
            continue
        entries += 1
        if length > _MAX_ENTRY_BYTES or entries > _MAX_ENTRIES:
            raise ValueError("its metadata is too large")
        yield file.read(length)


def _entry(content: bytes) -> tuple[bytes, bytes]:
    """The key and the value of an entry of the metadata."""
    values = {
        number: next(_fields(io.BytesIO(content), len(content), number), b"") for number in (_KEY, _VALUE)
    }
    return values[_KEY], values[_VALUE]


def _varint(file: BufferedIOBase) -> int:
    """An integer of up to 64 bits: seven bits per byte, the lowest first."""
    result = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError("it ends inside a number")
        result |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return result
    raise ValueError("a number has more than 64 bits")
