"""Configurations: frozen dataclasses from TOML and back, with a message for each wrong key and value."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import tomli_w
from pydantic import TypeAdapter, ValidationError

from verydeep.errors import RecipeError

Config = TypeVar("Config")


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """The values of a TOML ``text`` from the file ``name``.

    Raises:
        RecipeError: where it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{name} is not TOML: {error}") from None


def with_changes(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with ``changes``: the key ``optimizer.lr`` is ``lr`` in the table ``optimizer``."""
    for key, value in changes.items():
        *tables, last = key.split(".")
        table = values
        for part in tables:
            table = table.setdefault(part, {})
        table[last] = value
    return values


def dump_toml(values: dict[str, Any]) -> str:
    """The values of a configuration as TOML.

    TOML has no null: an absent key is the default, and None is the default of every key that has it.
    """
    return tomli_w.dumps(_without_none(values))


def validated(kind: type[Config], values: dict[str, Any], name: str) -> Config:
    """The configuration of that ``kind`` from the ``values`` that are called ``name`` in messages.

    Raises:
        RecipeError: naming each unknown key, wrong type and value out of range.
    """
    problems = list(_unknown_keys(values, kind))
    if not problems:
        try:
            return TypeAdapter(kind).validate_python(values)
        except ValidationError as error:
            problems = _messages([dict(problem) for problem in error.errors()])
    raise RecipeError(f"{name}: " + "; ".join(problems))


def _unknown_keys(values: Mapping[str, Any], kind: Any, prefix: str = "") -> list[str]:
    known = {item.name: item for item in fields(kind)}
    problems = []
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f", did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
            problems.append(f"there is no key {prefix}{key}{hint}")
        elif isinstance(value, Mapping) and is_dataclass(known[key].type):
            problems += _unknown_keys(value, known[key].type, f"{prefix}{key}.")
    return problems


def _messages(errors: list[dict[str, Any]]) -> list[str]:
    """One message per key: what was given, and what would do."""
    expected: dict[tuple[str, str], list[str]] = {}
    for error in errors:
        # A union of types names the one that was tried: the key is what a person wrote.
        key = ".".join(str(part) for part in error["loc"] if not _is_type_name(str(part)))
        message = str(error["msg"]).removeprefix("Value error, ")
        expected.setdefault((key, repr(error["input"])), []).append(f"{message[0].lower()}{message[1:]}")
    return [_joined(f"{key} is {given}: " if key else "", texts) for (key, given), texts in expected.items()]


def _joined(start: str, texts: list[str]) -> str:
    first, *others = dict.fromkeys(texts)
    return start + ", or ".join((first, *(text.removeprefix("input should be ") for text in others)))


def _is_type_name(part: str) -> bool:
    return "[" in part or part in ("int", "float", "str", "constrained-int", "constrained-float")


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }
