"""The preprocessing in one line."""

import pytest

from verydeep.architecture.preprocess import CAFFE
from verydeep.tables.preprocess_text import preprocess_text


@pytest.mark.parametrize(
    ("fit", "end"),
    [
        ("crop", "short side 256 px, center crop 224 px"),
        ("pad", "long side 224 px, padded with the mean to 224 x 224 px"),
        ("squash", "squashed to 224 x 224 px"),
    ],
)
def test_the_line_ends_with_how_images_come_to_the_input_size(fit, end):
    expected = f"BGR, 0 to 255, mean 103.939 116.779 123.68, std 1 1 1; {end}"
    assert preprocess_text(CAFFE.with_fit(fit)) == expected
