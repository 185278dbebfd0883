"""The messages for a wrong call: an unknown command or flag, a value of the wrong type, an extra argument."""

import difflib
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import cyclopts

from verydeep.foreign_text import terminal_text

TYPE_WORDS = {int: "a whole number", float: "a number"}


def usage_panel(error: cyclopts.CycloptsError) -> object:
    """The panel of ``error``: in our own words where they are clearer than those of cyclopts."""
    message: str | None = None
    if isinstance(error, cyclopts.UnknownCommandError):
        message = _unknown_command(error)
    elif isinstance(error, cyclopts.UnknownOptionError):
        message = _unknown_option(error)
    elif isinstance(error, cyclopts.CoercionError):
        message = _wrong_type(error)
    elif isinstance(error, cyclopts.UnusedCliTokensError):
        message = f"Unexpected {_quoted(error.unused_tokens or [])}. Quote a value that contains spaces."
    return cyclopts.CycloptsPanel(terminal_text(str(error) if message is None else message))


def _unknown_command(error: cyclopts.UnknownCommandError) -> str | None:
    """The message of cyclopts itself would import all commands, and torch."""
    if not error.unused_tokens or error.app is None:
        return None
    unknown, commands = error.unused_tokens[0], [name for name in error.app if not name.startswith("-")]
    near = difflib.get_close_matches(unknown, commands, n=1)
    hint = f'Did you mean "{near[0]}"? ' if near else ""
    return f'Unknown command "{unknown}". {hint}Available commands: {", ".join(commands)}.'


def _unknown_option(error: cyclopts.UnknownOptionError) -> str | None:
    """For a flag without its table, such as --lr, the flags that end so: --optimizer.lr."""
    given = (error.token.keyword or error.token.value).split("=")[0]
    names = [name for argument in error.argument_collection for name in argument.names]
    nested = [name for name in names if name.endswith(f".{given.lstrip('-')}")]
    return f"Unknown option: {given}. Did you mean {' or '.join(nested)}?" if nested else None


def _wrong_type(error: cyclopts.CoercionError) -> str | None:
    expected = _type_words(error.target_type)
    if error.token is None or not error.token.keyword or expected is None:
        return None
    return f'Invalid value "{error.token.value}" for {error.token.keyword}; expected {expected}.'


def _type_words(kind: Any) -> str | None:
    """A type of numbers, and choices beside them, in words; None for other types."""
    words = []
    for member in get_args(kind) or (kind,):
        if get_origin(member) is Literal:
            words += [str(choice) for choice in get_args(member)]
        elif member in TYPE_WORDS:
            words.append(TYPE_WORDS[member])
        elif member is not NoneType:
            return None
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _quoted(tokens: list[str]) -> str:
    return f"argument{'s' if len(tokens) > 1 else ''} " + ", ".join(f'"{token}"' for token in tokens)
