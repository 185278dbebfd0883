"""HEIC, the photos of phones: read by pillow-heif, an optional dependency."""

from verydeep.distribution import install_command
from verydeep.errors import UnreadableError

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def is_heic(start: bytes) -> bool:
    """Whether the first 12 bytes of a file are those of HEIC (ISO 23008-12, annex B)."""
    return start[4:8] == b"ftyp" and start[8:12] in _BRANDS


def register_heic(name: str) -> None:
    """Let Pillow read HEIC, from now on.

    Raises:
        UnreadableError: if pillow-heif is not installed; states ``name``.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise UnreadableError(
            f"{name} is a HEIC photo: {install_command('heic')} to read it, or save it as JPEG",
            "unsupported",
        ) from error
    pillow_heif.register_heif_opener()
