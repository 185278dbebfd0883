"""The architecture string: a network in one line. Parsing and formatting.

    64  64x3  64k1  96k11s4p2  256k5p2g2   convolution: channels, then k kernel (3), s stride (1),
                                           p padding (kernel // 2), g groups (1), x repeats (1)
    M  Mk3s2  Mk3s2p1                      max pooling: k kernel (2), s stride (2), p padding (0)
    L                                      local response normalization
    (64 64)x3  (128s2 128)                 residual block of convolutions, x repeats
    | gap                                  head: global average pool, then the classes
    | pool7 4096 4096                      head: average pool to 7x7, two hidden layers, then the classes

``parse_architecture`` returns frozen records and ``format_architecture`` the shortest string for them: each
is the inverse of the other.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TypeVar

from verydeep.architecture.layers import Conv, Head, Layer, LocalNorm, MaxPool, Residual
from verydeep.errors import ArchitectureError

Record = TypeVar("Record")

MAX_REPEATS = 1_000
MAX_CHANNELS = 1_000_000
MAX_LAYERS = 10_000

_EXPECTED = (
    "a convolution such as `64`, `64x2` or `96k11s4p2`, a pool `M` or `Mk3s2`, `L`, "
    "a block such as `(64 64)x3`, or `|` and the head"
)
_EXPECTED_IN_BLOCK = "a convolution such as `64` or `64k1`, or `)` with its repeats, such as `)x3`"
_EXPECTED_HEAD = "`gap` or a pool such as `pool7`"
_EXPECTED_HIDDEN = "the width of a hidden layer, such as `4096`, or the end of the string"


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    number: int
    column: int


def parse_architecture(string: str) -> tuple[tuple[Layer, ...], Head]:
    """The layers and the head of an architecture string.

    Raises:
        ArchitectureError: naming the token, its position, and what is accepted there.
    """
    tokens = [
        _Token(match.group(), number, match.start() + 1)
        for number, match in enumerate(re.finditer(r"\(|\)\w*|\||[^\s()|]+", string), start=1)
    ]
    parser = _Parser(string, tokens)
    layers = parser.layers()
    head = parser.head()
    return layers, head


class _Parser:
    """Parses tokens from left to right; ``error`` makes the error of a token."""

    def __init__(self, string: str, tokens: list[_Token]) -> None:
        self.string = string
        self.tokens = iter(tokens)

    def layers(self) -> tuple[Layer, ...]:
        """Everything before the bar."""
        layers: list[Layer] = []
        for token in self.tokens:
            if token.text == "|":
                if not layers:
                    raise self.error(token, f"at least one layer before it: {_EXPECTED}")
                return tuple(layers)
            layers += self.layer(token)
            if len(layers) > MAX_LAYERS:
                raise self.error(token, f"at most {MAX_LAYERS:,} layers in total")
        raise ArchitectureError(
            f"{self.string!r} has no head; end it with `| gap`, or with `| pool7 4096 4096` as in VGG"
        )

    def layer(self, token: _Token) -> list[Layer]:
        """The layers of one token, or of the residual block that it opens."""
        if token.text == "(":
            return self.block(token)
        if token.text == "L":
            return [LocalNorm()]
        if token.text.startswith("M"):
            return [self.checked(token, partial(_pool, self.options(token, token.text[1:], "ksp")))]
        return list(self.convs(token, _EXPECTED))

    def block(self, opening: _Token) -> list[Layer]:
        """Residual blocks, from an opening bracket to its closing one."""
        convs: list[Conv] = []
        for token in self.tokens:
            if token.text.startswith(")"):
                options = self.options(token, token.text[1:], "x", _EXPECTED_IN_BLOCK)
                return [self.checked(token, partial(Residual, tuple(convs)))] * self.repeats(token, options)
            convs += self.convs(token, _EXPECTED_IN_BLOCK)
        raise self.error(opening, "a closing bracket after its convolutions, as in `(64 64)x3`")

    def convs(self, token: _Token, expected: str) -> list[Conv]:
        """The convolutions of one token, with its repeats."""
        match = re.fullmatch(r"(\d+)(.*)", token.text, re.ASCII)
        if not match:
            raise self.error(token, expected)
        channels = self.number(token, match[1], MAX_CHANNELS)
        options = self.options(token, match[2], "kspgx", expected)
        return [self.checked(token, partial(_conv, channels, options))] * self.repeats(token, options)

    def head(self) -> Head:
        """Everything after the bar."""
        token = next(self.tokens, None)
        if token is None:
            raise ArchitectureError(f"{self.string!r} ends at the bar; expected {_EXPECTED_HEAD}")
        match = re.fullmatch(r"gap|pool(\d+)", token.text, re.ASCII)
        if not match:
            raise self.error(token, _EXPECTED_HEAD)
        grid = self.number(token, match[1], MAX_CHANNELS) if match[1] else 1
        hidden = []
        for unit in self.tokens:
            if not re.fullmatch(r"\d+", unit.text, re.ASCII):
                raise self.error(unit, _EXPECTED_HIDDEN)
            hidden.append(self.number(unit, unit.text, MAX_CHANNELS))
        return self.checked(token, partial(Head, grid, tuple(hidden)))

    def options(self, token: _Token, text: str, allowed: str, expected: str = _EXPECTED) -> dict[str, int]:
        """``k3s2`` as ``{"k": 3, "s": 2}``: each letter of ``allowed`` at most once."""
        if not re.fullmatch(rf"([{allowed}]\d+)*", text, re.ASCII):
            raise self.error(token, expected)
        options: dict[str, int] = {}
        for letter, digits in re.findall(r"(\w)(\d+)", text, re.ASCII):
            if letter in options:
                raise self.error(token, f"`{letter}` once")
            options[letter] = self.number(token, digits, MAX_CHANNELS)
        return options

    def repeats(self, token: _Token, options: dict[str, int]) -> int:
        repeats = options.get("x", 1)
        if not 1 <= repeats <= MAX_REPEATS:
            raise self.error(token, f"1 to {MAX_REPEATS:,} repeats")
        return repeats

    def number(self, token: _Token, digits: str, maximum: int) -> int:
        if len(digits) > len(str(maximum)) or int(digits) > maximum:
            raise self.error(token, f"numbers up to {maximum:,}")
        return int(digits)

    def checked(self, token: _Token, make: Callable[[], Record]) -> Record:
        """The result of ``make``; where a value is out of range, the error names the token."""
        try:
            return make()
        except ArchitectureError as error:
            raise ArchitectureError(f"{self.position(token)}: {error}") from None

    def error(self, token: _Token, expected: str) -> ArchitectureError:
        return ArchitectureError(f"{self.position(token)}; expected {expected}")

    def position(self, token: _Token) -> str:
        return f"token {token.number} of {self.string!r} is {token.text!r} (column {token.column})"


def _conv(channels: int, options: dict[str, int]) -> Conv:
    kernel = options.get("k", 3)
    return Conv(channels, kernel, options.get("s", 1), options.get("p", kernel // 2), options.get("g", 1))


def _pool(options: dict[str, int]) -> MaxPool:
    return MaxPool(options.get("k", 2), options.get("s", 2), options.get("p", 0))


def format_architecture(layers: Iterable[Layer], head: Head) -> str:
    """The shortest architecture string of these records; ``parse_architecture`` is the inverse."""
    return " ".join([*_layer_tokens(layers), "|", *_head_tokens(head)])


def _layer_tokens(layers: Iterable[Layer]) -> Iterator[str]:
    for layer, run in groupby(layers):
        count = len(list(run))
        match layer:
            case Conv():
                yield from _repeated(_conv_token(layer), count)
            case Residual():
                yield from _repeated(f"({' '.join(map(_conv_token, layer.convs))})", count)
            case MaxPool():
                yield from [_pool_token(layer)] * count
            case LocalNorm():
                yield from ["L"] * count


def _conv_token(conv: Conv) -> str:
    options = [
        ("k", conv.kernel, 3),
        ("s", conv.stride, 1),
        ("p", conv.padding, conv.kernel // 2),
        ("g", conv.groups, 1),
    ]
    return str(conv.channels) + _non_default(options)


def _pool_token(pool: MaxPool) -> str:
    if pool == MaxPool():
        return "M"
    # Kernel and stride are both written: `Mk3s2` is the usual notation for AlexNet's overlapping pool.
    return f"Mk{pool.kernel}s{pool.stride}" + _non_default([("p", pool.padding, 0)])


def _non_default(options: list[tuple[str, int, int]]) -> str:
    return "".join(f"{letter}{value}" for letter, value, default in options if value != default)


def _repeated(token: str, count: int) -> Iterator[str]:
    """``64x2``; in several tokens where there are more repeats than one may have."""
    for start in range(0, count, MAX_REPEATS):
        repeats = min(MAX_REPEATS, count - start)
        yield f"{token}x{repeats}" if repeats > 1 else token


def _head_tokens(head: Head) -> list[str]:
    return ["gap" if head.grid == 1 else f"pool{head.grid}", *map(str, head.hidden)]
