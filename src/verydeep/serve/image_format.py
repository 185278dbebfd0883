"""The image formats that are decoded for strangers, by their first bytes.

Pillow opens many more; one of them, EPS, is a program that it lets Ghostscript run.
"""

from importlib.util import find_spec

from PIL import features

from verydeep.errors import UnreadableError

_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")


def known_formats() -> tuple[str, ...]:
    """The formats that are read here: AVIF if Pillow has it, HEIC with the extra ``heic``."""
    avif = ("AVIF",) if "avif" in features.modules and features.check("avif") else ()
    heic = ("HEIC",) if find_spec("pillow_heif") else ()
    return ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", *avif, *heic)


def check_format(content: bytes) -> None:
    """Accept the file ``content`` for decoding.

    Raises:
        UnreadableError: if it is none of the formats.
    """
    if not content:
        raise UnreadableError("the image is empty: 0 bytes", "empty")
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    is_heif = content[4:8] == b"ftyp"  # AVIF and HEIC
    if not (content.startswith(_STARTS) or is_webp or is_heif):
        *formats, last = known_formats()
        raise UnreadableError(
            f"a file of {len(content):,} bytes is not an image of a known format; "
            f"expected {', '.join(formats)} or {last}",
            "not an image",
        )
