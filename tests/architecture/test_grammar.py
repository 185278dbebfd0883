"""The architecture string: parsing, formatting, and the error for a wrong token."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verydeep.architecture.grammar import format_architecture, parse_architecture
from verydeep.architecture.layers import Conv, Head, LocalNorm, MaxPool, Residual
from verydeep.errors import ArchitectureError


@st.composite
def convs(draw):
    groups = draw(st.integers(1, 4))
    return Conv(
        channels=groups * draw(st.integers(1, 300)),
        kernel=draw(st.integers(1, 11)),
        stride=draw(st.integers(1, 4)),
        padding=draw(st.integers(0, 6)),
        groups=groups,
    )


@st.composite
def pools(draw):
    kernel = draw(st.integers(1, 7))
    return MaxPool(kernel, draw(st.integers(1, 4)), draw(st.integers(0, kernel // 2)))


blocks = st.builds(Residual, st.lists(convs(), min_size=1, max_size=4).map(tuple))
layers = st.lists(st.one_of(convs(), pools(), st.just(LocalNorm()), blocks), min_size=1, max_size=12).map(
    tuple
)
heads = st.builds(Head, st.integers(1, 9), st.lists(st.integers(1, 5000), max_size=4).map(tuple))


@given(layers, heads)
def test_parsing_is_the_inverse_of_formatting(layers, head):
    assert parse_architecture(format_architecture(layers, head)) == (layers, head)


def test_more_repeats_than_a_token_may_have_are_several_tokens():
    layers, head = parse_architecture("64x1000 64x1000 64 | gap")
    assert format_architecture(layers, head) == "64x1000 64x1000 64 | gap"


@given(layers, heads)
def test_a_formatted_string_is_already_the_shortest(layers, head):
    string = format_architecture(layers, head)
    assert format_architecture(*parse_architecture(string)) == string


@pytest.mark.slow
@given(st.text())
def test_any_text_is_a_network_or_an_architecture_error(text):
    with contextlib.suppress(ArchitectureError):
        parse_architecture(text)


@pytest.mark.parametrize(
    ("token", "records"),
    [
        ("64", [Conv(64, 3, 1, 1, 1)]),
        ("64x3", [Conv(64)] * 3),
        ("64k1", [Conv(64, kernel=1, padding=0)]),
        ("96k11s4p2", [Conv(96, kernel=11, stride=4, padding=2)]),
        ("256k5p2g2", [Conv(256, kernel=5, padding=2, groups=2)]),
        ("M", [MaxPool(2, 2, 0)]),
        ("Mk3s2", [MaxPool(3, 2, 0)]),
        ("Mk3s2p1", [MaxPool(3, 2, 1)]),
        ("L", [LocalNorm()]),
        ("(64 64)x3", [Residual((Conv(64), Conv(64)))] * 3),
        ("(64x2)", [Residual((Conv(64), Conv(64)))]),
        ("(128s2 128)", [Residual((Conv(128, stride=2), Conv(128)))]),
    ],
)
def test_each_token_of_the_design(token, records):
    assert parse_architecture(f"{token} | gap") == (tuple(records), Head())


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("gap", Head(1, ())),
        ("gap 256", Head(1, (256,))),
        ("pool7 4096 4096", Head(7, (4096, 4096))),
        ("pool3 9 8 7 6", Head(3, (9, 8, 7, 6))),
        ("pool1", Head(1, ())),
    ],
)
def test_heads(text, head):
    assert parse_architecture(f"8 | {text}") == ((Conv(8),), head)


@pytest.mark.parametrize(
    ("string", "message"),
    [
        (
            "64x2 Q 128 | gap",
            "token 2 of '64x2 Q 128 | gap' is 'Q' (column 6); expected a convolution such as",
        ),
        ("64 (64 M) | gap", "is 'M' (column 8); expected a convolution such as `64` or `64k1`, or `)`"),
        ("64 (64 (64)) | gap", "token 4"),
        ("64 (64 64", "is '(' (column 4); expected a closing bracket"),
        ("64 ) | gap", "is ')' (column 4)"),
        ("() | gap", "needs at least one convolution"),
        ("64 M", "has no head; end it with `| gap`"),
        ("64 M |", "ends at the bar; expected `gap` or a pool"),
        ("64 | pool", "is 'pool' (column 6); expected `gap` or a pool such as `pool7`"),
        ("64 | gap x", "expected the width of a hidden layer"),
        ("64 | gap 0", "at least one unit"),
        ("| gap", "expected at least one layer before it"),
        ("64k3k5 | gap", "expected `k` once"),
        ("64k0 | gap", "kernel must be at least 1, 0 given"),
        ("0 | gap", "channels must be at least 1"),
        ("64x0 | gap", "expected 1 to 1,000 repeats"),
        ("64x1001 | gap", "expected 1 to 1,000 repeats"),
        ("64x99999999999999999999 | gap", "expected numbers up to 1,000,000"),
        ("65g2 | gap", "65 channels cannot be divided into 2 equal groups"),
        ("Mk2p2 | gap", "accepts a padding of at most 1"),
        ("Mx2 | gap", "is 'Mx2'"),
        (" ".join(["8x1000"] * 11) + " | gap", "at most 10,000 layers"),
    ],
)
def test_an_error_names_the_token_its_position_and_what_is_accepted(string, message):
    with pytest.raises(ArchitectureError) as error:
        parse_architecture(string)
    assert message in str(error.value)
