"""Writes small TIFF files by the specification (TIFF 6.0), with the tags that Pillow cannot write."""

import struct

import numpy as np

_CODES = {"H": 3, "I": 4, "h": 8, "i": 9, "f": 11}
"""The TIFF type of the values of a tag, by their letter in ``struct``."""


def tiff(
    values: np.ndarray,
    *,
    bits: int | None = None,
    photometric: int = 1,
    sample_format: int = 1,
    order: str = "<",
    tags: dict[int, tuple[str, float]] | None = None,
) -> bytes:
    """An uncompressed TIFF of ``values``, (height, width) or (height, width, channels).

    ``bits`` = 12 packs two values into three bytes; ``tags`` are more tags, with a letter of ``struct``.
    """
    height, width, *rest = values.shape
    channels = rest[0] if rest else 1
    bits = bits or 8 * values.itemsize
    pixels = _packed_12(values) if bits == 12 else values.astype(values.dtype.newbyteorder(order)).tobytes()
    entries: dict[int, tuple[str, list[float]]] = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [bits] * channels),
        259: ("H", [1]),
        262: ("H", [photometric]),
        273: ("I", [8]),  # the pixels follow the header
        277: ("H", [channels]),
        278: ("I", [height]),
        279: ("I", [len(pixels)]),
        339: ("H", [sample_format] * channels),
    }
    entries |= {tag: (kind, [value]) for tag, (kind, value) in (tags or {}).items()}
    pixels += b"\0" * (len(pixels) % 2)
    end = 8 + len(pixels) + 2 + 12 * len(entries) + 4  # where values stand that do not fit in four bytes
    directory, outside = struct.pack(f"{order}H", len(entries)), b""
    for tag, (kind, numbers) in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        directory += struct.pack(f"{order}HHI", tag, _CODES[kind], len(numbers))
        if len(packed) > 4:
            directory += struct.pack(f"{order}I", end + len(outside))
            outside += packed
        else:
            directory += packed.ljust(4, b"\0")
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", 8 + len(pixels)) + pixels + directory + b"\0" * 4 + outside


def _packed_12(values: np.ndarray) -> bytes:
    bits = "".join(f"{value:012b}" for value in values.ravel().tolist())
    return int(bits, 2).to_bytes(len(bits) // 8, "big")
