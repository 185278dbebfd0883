"""The limits and the steps of a compression, as flags give them."""

from math import inf

import pytest

from verydeep.compress.settings import CompressSettings, Limit, parse_limit, parse_steps
from verydeep.errors import CompressionError


@pytest.mark.parametrize(
    ("flags", "kind", "value"),
    [
        ((None, None, None), "drop", 0.1),
        ((0.0, None, None), "drop", 0.0),
        ((None, "5ms", None), "latency", 5),
        ((None, "0.5 s", None), "latency", 500),
        ((None, None, "60KB"), "bytes", 60_000),
        ((None, None, "1.5mb"), "bytes", 1_500_000),
        ((None, None, "800"), "bytes", 800),
    ],
)
def test_a_limit_is_read_with_its_unit(flags, kind, value):
    limit = parse_limit(*flags)
    assert (limit.kind, limit.value) == (kind, value)


@pytest.mark.parametrize(
    ("flags", "strict", "message"),
    [
        ((0.1, "5ms", None), False, "--drop and --latency are given; give one limit"),
        ((None, "5", None), False, "--latency is '5'; expected a number with a unit, such as 5ms"),
        ((None, None, "60 kilo"), False, "--bytes is '60 kilo'"),
        ((None, "5ms", None), True, "--strict is for the loss"),
    ],
)
def test_a_limit_that_cannot_be_read_is_refused(flags, strict, message):
    with pytest.raises(CompressionError, match=message):
        parse_limit(*flags, strict=strict)


def test_steps_are_taken_in_their_own_order():
    assert parse_steps("narrow, fold") == ("fold", "narrow")
    for text in ("fold,prune", ","):
        with pytest.raises(
            CompressionError, match="expected some of fold, narrow, distill, scratch, quantize"
        ):
            parse_steps(text)


@pytest.mark.parametrize("name", ["batch", "threads"])
@pytest.mark.parametrize("count", [0, 2**40])
def test_counts_out_of_range_are_refused(name, count):
    with pytest.raises(CompressionError, match=rf"--{name} is {count}; expected 1 to 1,048,576"):
        CompressSettings(limit=Limit(kind="drop", value=1.0), **{name: count})


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("drop", -1.0, "--drop is -1; expected 0 to 100 percentage points"),
        ("drop", float("nan"), "--drop is nan"),
        ("latency", 0.0, "--latency is 0; expected a positive number"),
    ],
)
def test_limits_out_of_range_are_refused(kind, value, message):
    with pytest.raises(CompressionError, match=message):
        CompressSettings(limit=Limit(kind=kind, value=value))


def test_to_distill_needs_networks_that_were_narrowed():
    with pytest.raises(CompressionError, match="distill, which trains what narrow makes; add narrow"):
        CompressSettings(limit=Limit(kind="drop", value=1.0), steps=("fold", "distill"))


def test_a_budget_without_limit_is_null_in_json():
    settings = CompressSettings(limit=Limit(kind="drop", value=1.0), budget_s=inf)
    assert settings.values["budget_s"] is None
    assert settings.trains("distill") and settings.trains("scratch")
    assert not CompressSettings(limit=Limit(kind="drop", value=1.0)).trains("distill")


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_torch_does_not_take_is_refused(seed):
    with pytest.raises(CompressionError, match=f"--seed is {seed}; expected 0 to"):
        CompressSettings(limit=Limit(kind="drop", value=1.0), seed=seed)
    assert CompressSettings(limit=Limit(kind="drop", value=1.0), seed=2**63 - 1).seed == 2**63 - 1
