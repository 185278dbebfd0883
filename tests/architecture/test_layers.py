"""The output shape of each layer."""

import pytest

from verydeep.architecture.layers import Conv, Head, MaxPool, Residual
from verydeep.errors import ArchitectureError, ShapeError


def test_alexnets_first_layers():  # Krizhevsky 2012, Figure 2, with the padding that 224 px needs
    maps = Conv(96, kernel=11, stride=4, padding=2).output((3, 224, 224))
    assert maps == (96, 55, 55)
    assert MaxPool(3, 2).output(maps) == (96, 27, 27)


def test_a_window_larger_than_the_map_is_an_error():
    with pytest.raises(ShapeError, match="1 x 1 is too small"):
        MaxPool().output((8, 1, 1))


def test_input_channels_must_divide_into_the_groups():
    with pytest.raises(ShapeError, match="3 channels cannot be divided into the 2 groups"):
        Conv(8, groups=2).output((3, 8, 8))


def test_the_shortcut_projects_only_where_shapes_differ():  # He 2015, section 3.3, option B
    keep = Residual((Conv(16), Conv(16)))
    assert keep.projection((16, 8, 8)) is None
    assert keep.projection((8, 8, 8)) == Conv(16, kernel=1, padding=0)
    down = Residual((Conv(16, stride=2), Conv(16)))
    assert down.projection((16, 8, 8)) == Conv(16, kernel=1, stride=2, padding=0)
    assert down.output((16, 7, 7)) == (16, 4, 4)


def test_a_block_that_changes_its_size_cannot_be_added():
    with pytest.raises(ShapeError, match="must keep the size"):
        Residual((Conv(16, padding=0),)).output((16, 8, 8))


def test_records_with_values_out_of_range_are_an_error():
    with pytest.raises(ArchitectureError, match="stride must be at least 1"):
        Conv(8, stride=0)
    with pytest.raises(ArchitectureError, match="at least one unit"):
        Head(1, (0,))
