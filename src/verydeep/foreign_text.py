"""Text of strangers (file names, class names, metadata) on its way out: one function for each border.

A name may hold anything: escape sequences that move the cursor, marks that reverse the order of letters,
bytes that are not UTF-8, markup. Each border shows it as text, and nothing in it takes effect. CSV, which is
also read back, is in ``csv_text``.
"""

import re

_C0_BUT_TAB_AND_NEWLINE = "\x00-\x08\x0b-\x1f\x7f"
_C1 = "\x80-\x9f"
_DIRECTION_MARKS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_LINE_SEPARATORS = "\u2028\u2029"
_SURROGATE = "\ud800-\udfff"
_HIDDEN = re.compile(
    f"[{_C0_BUT_TAB_AND_NEWLINE}{_C1}{_DIRECTION_MARKS}{_LINE_SEPARATORS}{_SURROGATE}\ufeff]"
)
_SHORT = {"\r": r"\r", "\n": r"\n", "\t": r"\t"}


def terminal_text(text: str) -> str:
    r"""``text`` for a terminal: what would control it, reverse its letters or cannot be encoded is an escape.

    ``\x1b`` for the character or the undecodable byte, ``\u202e`` above 255. Letters of every script stay,
    and so do line breaks and tabs, which our own messages have: a name in one line is ``one_line``.
    """
    return _HIDDEN.sub(_escape, valid_text(text))


def error_text(error: Exception) -> str:
    """The start of what another library says of ``error``, in one line, to stand inside a message of ours."""
    return " ".join(str(error).split())[:120]


def one_line(name: str) -> str:
    """A name as ``terminal_text``, in one line."""
    return terminal_text(name).replace("\n", r"\n").replace("\t", r"\t")


def valid_text(name: str) -> str:
    """``name`` with its undecodable bytes as escapes, for files that must be UTF-8; unchanged otherwise."""
    decoded = _BYTES.sub(lambda run: _bytes(run).decode(errors="backslashreplace"), name)
    return _SURROGATES.sub(_escape, decoded)


def utf8_text(name: str) -> str:
    """``name`` with the bytes decoded that are UTF-8: in the C locale Python decodes ASCII only.

    All other bytes stay in it, so that the name is still that of its file.
    """
    return _BYTES.sub(lambda run: _bytes(run).decode(errors="surrogateescape"), name)


_BYTES = re.compile("[\udc80-\udcff]+")
"""How Python writes the bytes of a file name that it cannot decode (PEP 383)."""
_SURROGATES = re.compile(f"[{_SURROGATE}]")


def _bytes(run: re.Match[str]) -> bytes:
    return run[0].encode(errors="surrogateescape")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def html_text(text: str) -> str:
    """``text`` for an HTML or SVG template, which escapes ``<``, ``>``, ``&`` and quotes itself."""
    return terminal_text(text)


def markdown_text(text: str) -> str:
    """``text`` in one line of Markdown: no link, no emphasis, no table cell, no HTML."""
    escaped = _MARKDOWN.sub(r"\\\g<0>", re.sub("[ \n\t]+", " ", terminal_text(text)))
    escaped = re.sub(r"^(\d+)([.)] )", r"\1\\\2", escaped)  # a numbered list
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_MARKDOWN = re.compile(
    r"[\\`*\[\]|~]"  # code, emphasis, links, cells, strikethrough
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis, but not inside of a word such as conv1_1
    r"|^(?:#|[-+](?=\s))"  # headings and lists
)
