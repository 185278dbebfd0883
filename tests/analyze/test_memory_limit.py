"""Amounts of memory as text."""

import pytest

from verydeep.analyze.memory_limit import DEFAULT_LIMIT, memory_limit
from verydeep.errors import ArchitectureError


@pytest.mark.parametrize(("given", "size"), [(DEFAULT_LIMIT, 24e9), ("8", 8e9), ("1.5 GiB", 1.5 * 2**30)])
def test_a_limit_is_in_bytes(given, size):
    assert memory_limit(given) == size


@pytest.mark.parametrize("given", ["", "0", "24,5", "24XB"])
def test_what_is_no_amount_is_an_error(given):
    with pytest.raises(ArchitectureError, match="expected an amount such as 24GB"):
        memory_limit(given)
