"""Why 3x3, held to the arithmetic of VGG, section 2.3: 18 C^2 against 25 C^2, 27 C^2 against 49 C^2."""

import pytest

from verydeep.analyze.kernels import why_3x3
from verydeep.errors import ArchitectureError


@pytest.mark.parametrize("channels", [1, 3, 64, 512])
def test_weights_and_field_for_any_channels(channels):
    stacks = why_3x3(channels)
    assert [stack.weights for stack in stacks] == [factor * channels**2 for factor in (25, 18, 49, 27)]
    assert [stack.receptive_field for stack in stacks] == [5, 5, 7, 7]
    assert [stack.convs for stack in stacks] == [1, 2, 1, 3]
    assert [round(stack.fewer, 2) for stack in stacks] == [0, 0.28, 0, 0.45]


def test_the_work_shrinks_as_the_weights_do():
    single, stack = why_3x3(8)[2:]
    assert stack.macs / single.macs == pytest.approx(27 / 49)


def test_no_channels_are_refused():
    with pytest.raises(ArchitectureError, match="at least 1"):
        why_3x3(0)
