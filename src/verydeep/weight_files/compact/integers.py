"""Finds the integers of a weight matrix: its values are these times a scale for each output channel.

That is so after the step ``quantize`` (compress/quantize.py), whose scales have the 8 significant bits of
bfloat16, so that a product with an integer of up to 7 bits is exact in float32.
"""

import numpy as np
from jaxtyping import Float32, Int8
from numpy.typing import NDArray

LARGEST = 127
"""The largest integer, so that each is a byte."""

_PRODUCT_BITS = 15
"""Significant bits of a scale times an integer."""
_PART = 1 << 20
"""Weights that are searched at a time: the search needs 50 bytes for each."""

Matrix = Float32[np.ndarray, "outputs inputs"]
Integers = Int8[np.ndarray, "outputs inputs"]
Scales = Float32[np.ndarray, " outputs"]


def integers_and_scales(weights: Matrix) -> tuple[Integers, Scales] | None:
    """The integers and the scales whose products are ``weights`` bit for bit; None where there are none.

    Scales are representable in bfloat16. ``weights`` has at least one value.
    """
    rows = max(1, _PART // weights.shape[1])
    parts = []
    for first in range(0, len(weights), rows):
        part = _of_rows(weights[first : first + rows])
        if part is None:
            return None
        parts.append(part)
    integers, scales = zip(*parts, strict=True)
    return np.concatenate(integers), np.concatenate(scales)


def _of_rows(weights: Matrix) -> tuple[Integers, Scales] | None:
    if _has_more_bits(weights, _PRODUCT_BITS) or not np.isfinite(weights).all():
        return None
    fractions, exponents = np.frexp(weights)
    mantissas = (fractions * 2**_PRODUCT_BITS).astype("i8")  # exact: no more bits than that
    least = exponents.min(1, where=mantissas != 0, initial=np.iinfo("i4").max)
    shifts = np.where(mantissas == 0, 0, exponents - least[:, None])
    if shifts.max() > LARGEST.bit_length():
        return None
    multiples = mantissas << shifts  # of 2^(least - 15)
    divisors = np.gcd.reduce(multiples, axis=1)
    integers = multiples // np.maximum(divisors, 1)[:, None]
    if np.abs(integers).max() > LARGEST:
        return None
    factors = _scale_divisors(divisors, np.abs(integers).max(1))
    integers = (integers * factors[:, None]).astype("i1")
    exponents_of_rows = np.where(divisors == 0, 0, least - _PRODUCT_BITS)
    scales = np.ldexp((divisors // factors).astype("f4"), exponents_of_rows)
    is_exact = same_bits(integers * scales[:, None], weights) and not _has_more_bits(scales, 8)
    return (integers, scales) if is_exact else None


def _scale_divisors(divisors: NDArray[np.int64], largest: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each channel, the smallest factor that makes its greatest common divisor a scale of 8 bits.

    All integers of a channel may be multiples of 3, and three times the scale may have 10 bits.
    """
    factors = np.ones_like(divisors)
    for factor in range(LARGEST, 0, -1):
        quotients = (divisors // factor).astype("f4")
        is_scale = (quotients.view("u4") & 0xFFFF) == 0
        factors[(divisors % factor == 0) & (largest * factor <= LARGEST) & is_scale] = factor
    return factors


def _has_more_bits(values: NDArray[np.float32], bits: int) -> bool:
    """Whether a value has more than ``bits`` significant bits."""
    return bool((values.view("u4") & ((1 << (24 - bits)) - 1)).any())


def same_bits(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether both are equal, also in the signs of their zeros."""
    return bool((one.view("u4") == other.view("u4")).all())
