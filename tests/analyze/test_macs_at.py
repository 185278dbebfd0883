"""The MACs for images of the size that the preprocessing gives."""

from dataclasses import replace

from verydeep.analyze.macs_at import macs_at
from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.description import Description
from verydeep.architecture.preprocess import Preprocess


def test_the_convolutions_of_another_size_are_counted_and_the_head_stays():
    architecture = Architecture.from_string("8 | gap", input=(3, 16, 16), classes=3)
    preprocess = Preprocess(size=16, mean=(0.5,) * 3, std=(0.2,) * 3)
    description = Description(architecture, preprocess, ("a", "b", "c"), {})
    assert macs_at(description) == trace(architecture).totals.macs == 16 * 16 * 27 * 8 + 8 * 3
    larger = replace(description, preprocess=replace(preprocess, size=32))
    assert macs_at(larger) == 32 * 32 * 27 * 8 + 8 * 3
