"""Why 3x3, against the arithmetic of VGG, section 2.3: 18 C^2 and 25 C^2, 27 C^2 and 49 C^2."""

import pytest

from verydeep.analyze.kernels import why_3x3
from verydeep.errors import ArchitectureError


@pytest.mark.parametrize("channels", [1, 3, 64, 512])
def test_weights_and_receptive_field_for_any_number_of_channels(channels):
    stacks = why_3x3(channels)
    assert [stack.weights for stack in stacks] == [factor * channels**2 for factor in (25, 18, 49, 27)]
    assert [stack.receptive_field for stack in stacks] == [5, 5, 7, 7]
    assert [stack.convolutions for stack in stacks] == [1, 2, 1, 3]
    assert [round(stack.weight_reduction, 2) for stack in stacks] == [0, 0.28, 0, 0.45]


def test_macs_decrease_in_proportion_to_weights():
    single, stack = why_3x3(8)[2:]
    assert stack.macs / single.macs == pytest.approx(27 / 49)


def test_zero_channels_are_an_error():
    with pytest.raises(ArchitectureError, match="at least 1"):
        why_3x3(0)
