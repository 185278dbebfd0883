"""Reads the pickle in a torch file as a list of instructions, without running them, before torch does.

torch's own reader (``weights_only=True``) runs no code, but does what the instructions of a pickle ask of
harmless types: build a bytearray of any length, or hash a tuple that refers to itself a billion times. The
scan finds both, and the names of all classes and functions that the pickle asks for.
"""

import io
import pickletools
from collections.abc import Iterator
from typing import Any

MAX_INSTRUCTIONS = 3_000_000
"""A training checkpoint of ResNet-152 with its optimizer has about 100,000; so many take 5 s to scan."""

MAX_EXPANDED = 30_000_000
"""Values in an object, counted again wherever it is referred to: those that hashing or printing visits."""

MAX_DEPTH = 1_000
"""Of values within values. Python hashes a tuple in a tuple by recursion, which may end the process."""

_MARK = (-1, 0)
_FILLING = frozenset(("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"))
"""Instructions that put values into one that is there; the others make a new one of them."""
_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class PickleError(ValueError):
    """A pickle that would take far more time or memory than any weight file."""


def names_in_pickles(file: io.BytesIO, count: int) -> frozenset[str]:
    """The classes and functions, as ``module.name``, that the next ``count`` pickles of ``file`` ask for.

    Raises:
        PickleError: where it is too large for any weight file, or expands without bound.
        ValueError: where it is no pickle, or truncated.
    """
    names: set[str] = set()
    left = MAX_INSTRUCTIONS
    for _ in range(count):
        sizes = _Sizes()
        for opcode, argument in _instructions(file):
            left -= 1
            if left < 0:
                raise PickleError(f"more than {MAX_INSTRUCTIONS:,} instructions")
            if opcode.name in ("GLOBAL", "INST"):
                names.add(_name(argument))
            sizes.run(opcode, argument)
    return frozenset(names)


def _name(argument: str) -> str:
    """``builtins.set`` for ``__builtin__ set``: protocol 2 has the names of Python 2."""
    module, _, name = argument.partition(" ")
    return f"{_RENAMED.get(module, module)}.{name}"


def _instructions(file: io.BytesIO) -> Iterator[tuple[Any, Any]]:
    for opcode, argument, _ in pickletools.genops(file):
        yield opcode, argument


class _Sizes:
    """The stack of the pickle machine, with the expanded size and the depth of each value in its place."""

    def __init__(self) -> None:
        self.stack: list[tuple[int, int]] = []
        self.memo: dict[int, tuple[int, int]] = {}

    def run(self, opcode: Any, argument: Any) -> None:
        name = opcode.name
        if name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self._top()
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self._top()
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo.get(argument, (1, 1)))
        elif name == "MARK":
            self.stack.append(_MARK)
        elif name == "DUP":
            self.stack.append(self._top())
        else:
            self._replace(opcode)

    def _replace(self, opcode: Any) -> None:
        """Pop what the instruction takes and push what it gives, which is as large as all of it."""
        before = opcode.stack_before
        parts: list[tuple[int, int]] = []
        if pickletools.markobject in before:
            while self.stack and (popped := self.stack.pop()) != _MARK:
                parts.append(popped)
            before = before[: before.index(pickletools.markobject)]
        parts += [self.stack.pop() for _ in before if self.stack]
        size = 1 + sum(max(0, part) for part, _ in parts)
        *inside, container = parts if opcode.name in _FILLING and parts else (*parts, (0, 0))
        depth = max(container[1], 1 + max((each for _, each in inside), default=0))
        if size > MAX_EXPANDED:
            raise PickleError("an object that refers to itself again and again")
        if depth > MAX_DEPTH:
            raise PickleError(f"more than {MAX_DEPTH:,} values within each other")
        self.stack += [(size, depth)] * len(opcode.stack_after)

    def _top(self) -> tuple[int, int]:
        return self.stack[-1] if self.stack and self.stack[-1] != _MARK else (1, 1)
