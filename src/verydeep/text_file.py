"""Text files of users, in UTF-8, UTF-16 or UTF-32; of other encodings, what they probably are."""

import codecs
import re
import shlex
from pathlib import Path

from verydeep.errors import DataError

_BYTE_ORDER_MARKS = (  # UTF-32 begins like UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_OTHER_ENCODINGS = (  # with the letters that a text in it mostly has; single accented ones come first
    ("cp1252", "(?<![\u0080-\uffff])[\u00c0-\u00ff](?![\u0080-\uffff])"),
    ("cp949", "[\uac00-\ud7a3]"),
    ("cp932", "[\u3041-\u30ff]"),
    ("gb18030", "[\u4e00-\u9fff]"),
    ("big5", "[\u4e00-\u9fff]"),
)


def read_text(path: Path) -> str:
    """The text of the file at ``path``, without a byte order mark; line breaks stay as they are.

    Raises:
        DataError: if it is in another encoding; names the probable one, and how to convert the file.
        OSError: if it cannot be read.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), None)
    try:
        return content.decode(encoding or _utf_16_without_mark(content) or "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(_advice(path, content, error)) from None


def _utf_16_without_mark(content: bytes) -> str | None:
    """Text in UTF-16 has a zero byte beside each ASCII character, and other text has none."""
    start = content[:2000]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) < 0.3 * len(start) / 2:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _advice(path: Path, content: bytes, error: UnicodeDecodeError) -> str:
    """Which encoding it probably is, how it then reads, and how to convert it."""
    line = content.count(b"\n", 0, error.start) + 1
    guesses = _probable_encodings(content)
    if not guesses:
        return (
            f"{path}, line {line} is not text in UTF-8 (byte 0x{content[error.start]:02x}). Save it as "
            "UTF-8, such as `CSV UTF-8` in a spreadsheet"
        )
    readings = " or ".join(
        f"{content.decode(guess).splitlines()[line - 1][:60]!r} in {guess}" for guess in guesses[:3]
    )
    converted = shlex.quote(f"{path.stem}-utf8{path.suffix}")
    return (
        f"{path} is not UTF-8; line {line} reads {readings}. Save it as UTF-8, in a spreadsheet or by: "
        f"iconv -f {guesses[0]} -t UTF-8 {shlex.quote(str(path))} > {converted}"
    )


def _probable_encodings(content: bytes) -> list[str]:
    """The encodings in which most letters beyond ASCII are of their own script."""
    return [encoding for encoding, letters in _OTHER_ENCODINGS if _fits(content, encoding, letters)]


def _fits(content: bytes, encoding: str, letters: str) -> bool:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return 2 * len(re.findall(letters, text)) >= sum(not character.isascii() for character in text)
